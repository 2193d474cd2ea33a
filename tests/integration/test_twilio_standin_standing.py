"""What Twilio and carriers let the account do, asked of the stand-in with Twilio's own SDK, at each of Twilio's hosts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
import requests
from twilio.base.exceptions import TwilioException
from twilio.rest import Client

from local.twilio.receiver import Answer, Receiver
from local.twilio.standin import TwilioStandIn
from local.twilio.standing import Standing
from tools.doctor import twilio_client

from .account import ACCOUNT, NUMBER, PERSON, TOKEN

HOSTS = {"api", "voice", "messaging", "accounts", "monitor"}


@pytest.fixture
def every_host(twilio: TwilioStandIn) -> Client:
    """The SDK as it is, with the doctor's client below it: whatever the host, it is the stand-in's."""
    return twilio_client.client(ACCOUNT, TOKEN, ACCOUNT, twilio.url)


def test_an_account_begins_as_one_that_may_do_everything(every_host: Client) -> None:
    account = every_host.api.v2010.accounts(ACCOUNT).fetch()
    country = every_host.voice.v1.dialing_permissions.countries("US").fetch()
    texts = every_host.accounts.v1.messaging_geopermissions.fetch(country_code="US")

    assert (account.status, account.type) == ("active", "Full")
    assert (country.iso_code, country.low_risk_numbers_enabled, country.country_codes) == ("US", True, ["+1"])
    assert texts.permissions == [{"country_code": "US", "type": "country", "enabled": True}]
    assert every_host.outgoing_caller_ids.list() == []
    assert every_host.monitor.v1.alerts.list() == []
    assert every_host.messaging.v1.tollfree_verifications.list() == []


def test_what_is_taken_away_shows(twilio: TwilioStandIn, every_host: Client) -> None:
    twilio.standing = Standing("suspended", "Trial", [PERSON], ["FR"], ["GB"], lacks={NUMBER: ["mms"]})

    account = every_host.api.v2010.accounts(ACCOUNT).fetch()
    (number,) = every_host.incoming_phone_numbers.list()
    (caller,) = every_host.outgoing_caller_ids.list()

    assert (account.status, account.type, caller.phone_number) == ("suspended", "Trial", PERSON)
    assert number.capabilities == {"sms": True, "mms": False, "voice": True, "fax": False}
    assert not every_host.voice.v1.dialing_permissions.countries("FR").fetch().low_risk_numbers_enabled
    (row,) = every_host.accounts.v1.messaging_geopermissions.fetch(country_code="GB").permissions
    assert row["enabled"] is False


def test_a_campaign_is_of_the_service_that_the_numbers_are_in_and_leaves_texts_to_them(
    twilio: TwilioStandIn, every_host: Client
) -> None:
    sid = twilio.register_campaign()

    service = every_host.messaging.v1.services(sid)
    (campaign,) = service.us_app_to_person.list()

    assert (campaign.campaign_status, campaign.messaging_service_sid) == ("VERIFIED", sid)
    assert service.fetch().use_inbound_webhook_on_number is True
    assert [one.phone_number for one in service.phone_numbers.list()] == [NUMBER]
    twilio.release_number(NUMBER)
    assert service.phone_numbers.list() == []
    twilio.remove_service(sid)
    with pytest.raises(TwilioException):
        service.us_app_to_person.list()


def test_a_toll_free_verification_is_found_by_its_number(twilio: TwilioStandIn, every_host: Client) -> None:
    (number,) = every_host.incoming_phone_numbers.list()
    twilio.standing = Standing(toll_free={NUMBER: "TWILIO_REJECTED"})

    (found,) = every_host.messaging.v1.tollfree_verifications.list(tollfree_phone_number_sid=number.sid)

    assert (found.status, found.tollfree_phone_number_sid) == ("TWILIO_REJECTED", number.sid)
    assert every_host.messaging.v1.tollfree_verifications.list(tollfree_phone_number_sid="PN" + "0" * 32) == []


def test_the_debuggers_entries_are_alerts_newest_first(twilio: TwilioStandIn, webhook: Receiver, every_host: Client) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    twilio.sms_url = f"{webhook.url}/sms"
    for status in (500, 404):
        webhook.default = Answer(status)
        twilio.receive_text(PERSON, "Hello?")

    alerts = every_host.monitor.v1.alerts.list(start_date=before)

    assert [(one.error_code, one.request_url) for one in alerts] == [("11200", f"{webhook.url}/sms")] * 2
    assert alerts[0].date_created >= alerts[1].date_created
    assert alerts[0].resource_sid
    assert every_host.monitor.v1.alerts.list(start_date=datetime.now(UTC) + timedelta(minutes=1)) == []


def test_it_can_be_taken_away_over_http(twilio: TwilioStandIn) -> None:
    changed = requests.post(f"{twilio.url}/_standin/standing", json={"type": "Trial"}, timeout=5).json()

    assert changed == requests.get(f"{twilio.url}/_standin/standing", timeout=5).json()
    assert (changed["type"], changed["status"], twilio.standing.type) == ("Trial", "active", "Trial")
    assert "nonsense" in requests.post(f"{twilio.url}/_standin/standing", json={"nonsense": 1}, timeout=5).json()["error"]


def test_no_request_leaves_this_machine(twilio: TwilioStandIn, every_host: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = []
    send = requests.Session.send

    def watched(self: requests.Session, request: requests.PreparedRequest, **options: object) -> requests.Response:
        hosts.append(urlsplit(str(request.url)).hostname)
        return send(self, request, **options)

    monkeypatch.setattr(requests.Session, "send", watched)
    test_an_account_begins_as_one_that_may_do_everything(every_host)

    assert len(hosts) >= len(HOSTS)
    assert set(hosts) == {"127.0.0.1"}
