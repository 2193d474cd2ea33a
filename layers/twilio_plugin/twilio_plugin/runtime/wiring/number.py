"""The function that points the numbers at the stack."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twilio_plugin.runtime import config
from twilio_plugin.runtime.wiring import parts

Handler = Callable[[Any, Any], None]


def configure_number() -> Handler:
    from twilio_plugin.runtime.custom_resource import Cases, custom_resource

    def build() -> Cases:
        from dataclasses import asdict

        from twilio_plugin.adapters.number_settings import NumberSettingsTable
        from twilio_plugin.adapters.twilio_numbers import TwilioNumbers
        from twilio_plugin.services.configure_number import Configurer, NumbersWanted, configure_numbers, restore_numbers

        env = config.read(config.ConfigureNumber)
        by = Configurer(
            twilio=TwilioNumbers(parts.twilio(env)),
            before=NumberSettingsTable(parts.dynamodb(), env.conversations_table),
            clock=parts.now,
            account_sid=env.twilio_account_sid,
        )

        class NumberCases:
            def put(self, properties: Mapping[str, Any]) -> Mapping[str, Any]:
                numbers = [number for number in properties["PhoneNumbers"].split(",") if number]
                wanted = NumbersWanted(properties["WebhookUrl"], numbers, properties.get("MessagingServiceSid") or None)
                return asdict(configure_numbers(wanted, by))

            def delete(self) -> Mapping[str, Any]:
                return asdict(restore_numbers(by))

        return NumberCases()

    return custom_resource("number-webhooks", build)
