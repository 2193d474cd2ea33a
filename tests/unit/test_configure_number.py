from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from tests.unit.fakes import ACCOUNT, FakeClock
from tests.unit.fakes_numbers import NO_URLS, UNSET, FakeSettingsBefore, FakeTwilioResources
from twilio_plugin.errors import Misconfigured, PluginError, StorageUnavailable, TwilioRejected, TwilioUnavailable
from twilio_plugin.services.configure_number import (
    PATIENCE,
    Configurer,
    NumbersWanted,
    Outcome,
    configure_numbers,
    restore_numbers,
)

ROOT = "https://one.example/webhooks/twilio"
MOVED = "https://two.example/webhooks/twilio"
NUMBER, OTHER = "+14155550100", "+14155550101"
SERVICE = "MG" + "0" * 32
OURS = {
    "sms_url": f"{ROOT}/sms#rc=2&rp=5xx,ct,rt",
    "sms_fallback_url": f"{ROOT}/sms#rc=2&rp=5xx,ct,rt",
    "voice_url": f"{ROOT}/voice#rc=1&rp=5xx,ct&rt=5000",
    "voice_fallback_url": f"{ROOT}/voice/fallback",
    "status_callback": f"{ROOT}/status#rc=3&rp=5xx,ct,rt",
}
THEIRS = {
    "sms_url": "https://theirs.example/sms",
    "sms_method": "GET",
    "sms_fallback_url": "https://theirs.example/instead",
    "voice_url": "https://theirs.example/voice",
    "voice_method": "GET",
    "status_callback": "https://theirs.example/ended",
    "status_callback_method": "GET",
}
UNREACHABLE = TwilioUnavailable("Twilio did not answer.")
REFUSED = TwilioRejected("Twilio refused it.", twilio_code=20003, status=401)


@dataclass
class Account:
    """What the tests have: an account at Twilio, what is kept, and a clock."""

    twilio: FakeTwilioResources = field(default_factory=FakeTwilioResources)
    before: FakeSettingsBefore = field(default_factory=FakeSettingsBefore)
    clock: FakeClock = field(default_factory=FakeClock)

    @property
    def by(self) -> Configurer:
        return Configurer(self.twilio, self.before, self.clock, ACCOUNT)

    def put(self, *numbers: str, root: str = ROOT, service: str | None = None) -> Outcome:
        return configure_numbers(NumbersWanted(root, numbers or (NUMBER,), service), self.by)

    def delete(self) -> Outcome:
        return restore_numbers(self.by)


@pytest.fixture
def account() -> Account:
    account = Account()
    account.twilio.add_number(NUMBER)
    account.twilio.add_number(OTHER)
    return account


def test_a_number_is_pointed_at_us_with_retries_and_by_post(account: Account) -> None:
    account.twilio.set_by_hand(NUMBER, **THEIRS)

    outcome = account.put()

    assert account.twilio.settings(NUMBER) == UNSET | OURS
    assert account.twilio.settings(OTHER) == UNSET
    assert outcome == Outcome(changed=["***0100"])


def test_what_was_there_is_put_back_to_the_letter(account: Account) -> None:
    account.twilio.set_by_hand(NUMBER, **THEIRS)
    account.put()

    outcome = account.delete()

    assert account.twilio.settings(NUMBER) == UNSET | THEIRS
    assert outcome == Outcome(restored=["***0100"])
    assert account.before.all() == []


@pytest.mark.parametrize(
    "replaced",
    [{"voice_application_sid": "AP1"}, {"trunk_sid": "TK1"}, {"sms_application_sid": "AP2", "voice_application_sid": "AP1"}],
)
def test_an_application_or_a_trunk_is_taken_away_and_put_back(account: Account, replaced: dict[str, str]) -> None:
    account.twilio.set_by_hand(NUMBER, **THEIRS, **replaced)

    account.put()
    assert account.twilio.settings(NUMBER) == UNSET | OURS
    account.delete()

    assert account.twilio.settings(NUMBER) == UNSET | THEIRS | replaced


def test_a_second_time_changes_nothing_and_keeps_what_was_there_first(account: Account) -> None:
    account.twilio.set_by_hand(NUMBER, **THEIRS)
    account.put()
    account.twilio.changes.clear()

    outcome = account.put()
    account.put(root=MOVED)
    account.delete()

    assert outcome == Outcome()
    assert account.twilio.settings(NUMBER) == UNSET | THEIRS


def test_our_own_urls_are_never_what_was_there_before(account: Account) -> None:
    account.twilio.set_by_hand(NUMBER, **OURS | {"status_callback": THEIRS["status_callback"]})

    account.put()
    account.delete()

    assert account.twilio.settings(NUMBER) == UNSET | {"status_callback": THEIRS["status_callback"]}


def test_a_changed_address_is_followed_and_what_somebody_else_has_set_meanwhile_is_left_alone(account: Account) -> None:
    account.put()
    account.twilio.set_by_hand(NUMBER, voice_url="https://theirs.example/new")

    outcome = account.put(root=MOVED)

    moved = {name: url.replace(ROOT, MOVED) for name, url in OURS.items()}
    assert account.twilio.settings(NUMBER) == UNSET | moved | {"voice_url": "https://theirs.example/new"}
    assert outcome == Outcome(changed=["***0100"], left_alone=["***0100 voice_url"])


def test_an_address_that_is_taken_back_again_is_followed(account: Account) -> None:
    """A deploy that fails later is rolled back, to the address from before."""
    account.put()
    account.put(root=MOVED)
    account.put(root=ROOT)

    assert account.twilio.settings(NUMBER) == UNSET | OURS


def test_a_change_of_which_nobody_heard_is_known_for_ours(account: Account) -> None:
    account.put()
    account.twilio.loses_answers = True
    with pytest.raises(TwilioUnavailable):
        account.put(root=MOVED)
    account.twilio.loses_answers = False

    account.delete()

    assert account.twilio.settings(NUMBER) == UNSET


def test_only_what_is_still_ours_is_put_back(account: Account) -> None:
    account.twilio.set_by_hand(NUMBER, **THEIRS)
    account.put()
    account.twilio.set_by_hand(NUMBER, sms_url="https://new.example/sms", trunk_sid="TK1")

    outcome = account.delete()

    assert account.twilio.settings(NUMBER) == UNSET | THEIRS | {
        "sms_url": "https://new.example/sms",
        "sms_method": "POST",
        "voice_url": OURS["voice_url"],
        "voice_method": "POST",
        "trunk_sid": "TK1",
    }
    assert outcome.left_alone == ["***0100 sms_url", "***0100 voice_url"]


def test_a_url_that_only_begins_like_ours_is_not_ours(account: Account) -> None:
    account.put()
    account.twilio.set_by_hand(NUMBER, sms_url=f"{ROOT}-of-somebody-else/sms")

    account.delete()

    assert account.twilio.settings(NUMBER)["sms_url"] == f"{ROOT}-of-somebody-else/sms"


def test_numbers_come_and_go(account: Account) -> None:
    account.twilio.set_by_hand(NUMBER, **THEIRS)
    account.put(NUMBER)

    outcome = account.put(OTHER)

    assert account.twilio.settings(OTHER) == UNSET | OURS
    assert account.twilio.settings(NUMBER) == UNSET | THEIRS
    assert outcome == Outcome(changed=["***0101"], restored=["***0100"])
    assert [one.key for one in account.before.all()] == [OTHER]


def test_a_number_that_was_given_up_is_no_trouble(account: Account) -> None:
    account.put(NUMBER, OTHER)
    del account.twilio.held[NUMBER]

    assert account.put(OTHER).restored == ["***0100"]
    del account.twilio.held[OTHER]
    assert account.delete().restored == ["***0101"]


@pytest.mark.parametrize(
    ("numbers", "service", "sentence"),
    [
        (("+14155550199",), None, rf"number \*\*\*0199 is not in the Twilio account {ACCOUNT}. Correct TwilioPhoneNumber or"),
        ((NUMBER,), SERVICE, rf"Messaging Service \*\*\*0000 is not in the Twilio account {ACCOUNT}. Correct TwilioMessaging"),
    ],
)
def test_what_is_not_in_the_account_fails_with_a_sentence_and_changes_nothing(
    account: Account, numbers: tuple[str, ...], service: str | None, sentence: str
) -> None:
    with pytest.raises(Misconfigured, match=sentence) as refused:
        account.put(OTHER, *numbers, service=service)

    assert len(str(refused.value)) <= 256, "crhelper cuts what is longer, from the front"
    assert account.twilio.changes == []
    assert account.before.all() == []


def test_a_service_that_takes_the_texts_must_be_named(account: Account) -> None:
    account.twilio.add_service(SERVICE, NUMBER)

    with pytest.raises(Misconfigured, match=rf"Texts to \*\*\*0100 go to the Messaging Service {SERVICE}") as refused:
        account.put()

    assert len(str(refused.value)) <= 256
    assert account.twilio.changes == []


def test_a_service_that_leaves_texts_to_its_numbers_is_left_alone(account: Account) -> None:
    account.twilio.add_service(SERVICE, NUMBER, use_inbound_webhook_on_number="true")

    assert account.put().changed == ["***0100"]


@pytest.mark.parametrize("leaves_them", ["true", "false"])
def test_a_named_service_is_pointed_at_us_and_back(account: Account, leaves_them: str) -> None:
    theirs = {"inbound_request_url": "https://theirs.example/sms", "use_inbound_webhook_on_number": leaves_them}
    account.twilio.add_service(SERVICE, NUMBER, **theirs)

    account.put(service=SERVICE)
    assert account.twilio.settings(SERVICE) == NO_URLS | {
        "inbound_request_url": OURS["sms_url"],
        "fallback_url": OURS["sms_url"],
    }
    account.delete()

    assert account.twilio.settings(SERVICE) == NO_URLS | theirs


def test_credentials_that_may_not_read_services_still_point_the_number(account: Account) -> None:
    account.twilio.refusals["services"] = TwilioRejected("no", twilio_code=None, status=403)

    assert account.put() == Outcome(changed=["***0100"], not_looked_up=["***0100"])


@pytest.mark.parametrize("error", [REFUSED, UNREACHABLE])
def test_trouble_with_twilio_fails_a_deploy_and_once_more_is_enough(account: Account, error: PluginError) -> None:
    account.twilio.set_by_hand(NUMBER, **THEIRS)
    account.twilio.refusals[NUMBER] = error
    with pytest.raises(type(error)):
        account.put()
    account.twilio.refusals.clear()

    account.put()
    account.delete()

    assert account.twilio.settings(NUMBER) == UNSET | THEIRS


def test_a_delete_after_a_create_that_did_nothing_does_nothing(account: Account) -> None:
    assert account.delete() == Outcome()
    assert account.twilio.asked == []


def test_a_delete_while_twilio_is_out_of_reach_ends_at_the_first_and_keeps_what_was_there(account: Account) -> None:
    account.put(NUMBER, OTHER)
    account.twilio.asked.clear()
    account.twilio.refusals[NUMBER] = UNREACHABLE

    outcome = account.delete()

    assert account.twilio.asked == [NUMBER]
    assert outcome.not_restored == ["***0100: Twilio did not answer.", "***0101: Twilio takes too long."]
    assert {one.key for one in account.before.all()} == {NUMBER, OTHER}


def test_a_delete_goes_on_after_a_refusal(account: Account) -> None:
    account.put(NUMBER, OTHER)
    account.twilio.refusals[NUMBER] = REFUSED

    outcome = account.delete()

    assert outcome == Outcome(restored=["***0101"], not_restored=["***0100: Twilio refused it."])
    assert account.twilio.settings(OTHER) == UNSET


def test_a_delete_without_its_table_says_so(account: Account) -> None:
    account.before.refusal = StorageUnavailable("DynamoDB: ResourceNotFoundException.")

    assert account.delete().not_restored == ["DynamoDB: ResourceNotFoundException."]


def test_nothing_is_begun_when_twilio_takes_too_long(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.put(NUMBER, OTHER)
    find = account.twilio.find

    def slowly(key: str) -> object:
        account.clock.advance(seconds=PATIENCE.total_seconds())
        return find(key)

    monkeypatch.setattr(account.twilio, "find", slowly)
    account.twilio.asked.clear()
    with pytest.raises(TwilioUnavailable, match="too long"):
        account.put(NUMBER, OTHER, root=MOVED)
    assert account.twilio.asked == [NUMBER]

    outcome = account.delete()
    assert (outcome.restored, outcome.not_restored) == (["***0100"], ["***0101: Twilio takes too long."])
