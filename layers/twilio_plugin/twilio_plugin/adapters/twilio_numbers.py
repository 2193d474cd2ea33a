"""Twilio's IncomingPhoneNumbers, and its Messaging Services with the numbers in them."""

from __future__ import annotations

from typing import Any

from twilio_plugin.adapters.twilio_rest import TwilioRest
from twilio_plugin.domain.address import masked
from twilio_plugin.domain.number_settings import Settings, TwilioResource
from twilio_plugin.domain.twilio_errors import rejection

# An account has a few; one with more tells whose a number is by TwilioMessagingServiceSid.
MOST_SERVICES = 100
_NUMBER = (
    *("sms_url", "sms_method", "sms_fallback_url", "sms_fallback_method", "sms_application_sid"),
    *("voice_url", "voice_method", "voice_fallback_url", "voice_fallback_method", "voice_application_sid", "trunk_sid"),
    *("status_callback", "status_callback_method"),
)
_SERVICE = ("inbound_request_url", "inbound_method", "fallback_url", "fallback_method", "use_inbound_webhook_on_number")


class TwilioNumbers:
    """`TwilioResources` on Twilio."""

    def __init__(self, twilio: TwilioRest) -> None:
        self._twilio = twilio

    def find(self, key: str) -> TwilioResource | None:
        if key.startswith("MG"):
            return self._twilio.settle(f"the Messaging Service {key}", lambda client: _service(_services(client, key).fetch()))
        found = self._twilio.settle(
            f"the number {masked(key)}", lambda client: client.incoming_phone_numbers.list(phone_number=key, limit=20)
        )
        # Twilio looks for numbers that have these digits somewhere.
        return next((_number(one) for one in found or () if one.phone_number == key), None)

    def service_of(self, number: TwilioResource) -> TwilioResource | None:
        what = f"the Messaging Services of {masked(number.key)}"

        def is_in(sid: str) -> bool:
            return bool(self._twilio.settle(what, lambda client: _services(client, sid).phone_numbers(number.sid).fetch()))

        services = self._twilio.settle(what, lambda client: client.messaging.v1.services.list(limit=MOST_SERVICES))
        return next((_service(service) for service in services or () if is_in(service.sid)), None)

    def change(self, resource: TwilioResource, changes: Settings) -> None:
        def ask(client: Any) -> Any:
            if resource.is_service:
                return _services(client, resource.sid).update(**_typed(changes))
            return client.incoming_phone_numbers(resource.sid).update(**changes)

        what = f"the webhooks of {masked(resource.key)}"
        if self._twilio.settle(what, ask) is None:  # it was there a moment ago
            raise rejection(what, code=20404, status=404)


def _services(client: Any, sid: str) -> Any:
    return client.messaging.v1.services(sid)


def _number(number: Any) -> TwilioResource:
    return TwilioResource(number.phone_number, number.sid, {name: getattr(number, name) or "" for name in _NUMBER})


def _service(service: Any) -> TwilioResource:
    settings = {name: getattr(service, name) for name in _SERVICE}
    flag = "true" if settings["use_inbound_webhook_on_number"] else "false"
    return TwilioResource(
        service.sid,
        service.sid,
        {name: value or "" for name, value in settings.items()} | {"use_inbound_webhook_on_number": flag},
    )


def _typed(changes: Settings) -> dict[str, Any]:
    return {name: value == "true" if name == "use_inbound_webhook_on_number" else value for name, value in changes.items()}
