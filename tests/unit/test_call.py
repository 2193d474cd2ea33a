from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.fakes import ACCOUNT
from tests.unit.fakes_calls import OURS, PAIR, THEIRS, inbound, outbound, sid
from twilio_plugin.domain.address import Address
from twilio_plugin.domain.call import CALL_RANK, Call, call_rank, call_update, other_fields
from twilio_plugin.errors import UnreadableWebhook

WEBHOOK = {
    "AccountSid": ACCOUNT,
    "ApiVersion": "2010-04-01",
    "CallSid": sid(1),
    "CallStatus": "ringing",
    "Called": OURS,
    "Caller": THEIRS,
    "Direction": "inbound",
    "From": THEIRS,
    "To": OURS,
}
FACTS: dict[str, Any] = {
    "call_sid": sid(1),
    "conversation_id": PAIR,
    "direction": "outbound",
    "from_": OURS,
    "to": THEIRS,
    "started_at": "2026-11-22T08:00:00.000Z",
}
OF_OURS = WEBHOOK | {"Direction": "outbound-api", "From": OURS, "To": THEIRS, "CallStatus": "initiated"}

# ------------------------------------------------------------------------------------------------------------- reading


def test_a_persons_call_is_read_as_inbound_in_the_conversation_of_their_texts() -> None:
    update = call_update(WEBHOOK, {})

    assert update == inbound(1)
    assert update.conversation_id == PAIR


def test_a_call_of_ours_is_read_as_outbound_in_the_same_conversation_with_its_request() -> None:
    update = call_update(OF_OURS, {"request": "key 1"})

    assert update == outbound(1, "initiated", request_id="key 1")
    assert update.conversation_id == PAIR


@pytest.mark.parametrize("direction", ["outbound-api", "outbound-dial"])
def test_every_kind_of_outbound_call_is_outbound(direction: str) -> None:
    assert call_update(OF_OURS | {"Direction": direction}, {}).direction == "outbound"


@pytest.mark.parametrize("name", ["CallSid", "AccountSid", "To", "CallStatus"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_field_we_cannot_do_without_is_named_when_it_is_missing(name: str, value: str | None) -> None:
    form = {key: field for key, field in WEBHOOK.items() if key != name} | ({} if value is None else {name: value})

    with pytest.raises(UnreadableWebhook, match=name):
        call_update(form, {})


@pytest.mark.parametrize("hidden", [None, "", "anonymous"])
def test_a_hidden_number_is_anonymous(hidden: str | None) -> None:
    form = {key: field for key, field in WEBHOOK.items() if key != "From"} | ({} if hidden is None else {"From": hidden})

    update = call_update(form, {})

    assert update.sender == Address("phone", "anonymous")
    assert update.conversation_id == f"phone|{OURS}|anonymous"


@pytest.mark.parametrize(
    ("written", "seconds"), [("42", 42), ("0", 0), ("", None), ("-1", None), ("²", None), ("4.2", None), ("9" * 400, None)]
)
def test_a_duration_is_whole_seconds_or_nothing(written: str, seconds: int | None) -> None:
    assert call_update(WEBHOOK | {"CallDuration": written}, {}).duration == seconds


def test_a_status_is_read_whatever_its_case() -> None:
    assert call_update(WEBHOOK | {"CallStatus": "No-Answer"}, {}).status == "no-answer"


@given(st.dictionaries(st.sampled_from([*WEBHOOK, "CallDuration"]), st.text(max_size=30)))
def test_no_form_is_read_in_any_other_way_than_whole_or_not_at_all(form: dict[str, str]) -> None:
    try:
        update = call_update(form, {})
    except UnreadableWebhook:
        return
    assert update.call_sid
    assert update.status == form["CallStatus"].lower()


def test_what_has_no_place_of_its_own_travels_in_fields_if_it_says_something() -> None:
    form = WEBHOOK | {"CallerName": "ADA", "FromCity": "", "StirVerstat": "TN-Validation-Passed-A"}

    assert other_fields(form) == {"CallerName": "ADA", "StirVerstat": "TN-Validation-Passed-A"}


# -------------------------------------------------------------------------------------------------------------- status


def test_a_status_that_is_not_known_never_hides_one_that_is() -> None:
    assert call_rank("levitating") < min(CALL_RANK.values())


def test_a_call_goes_from_queued_over_ringing_and_answered_to_its_end() -> None:
    ranks = [call_rank(status) for status in ("queued", "initiated", "ringing", "in-progress", "completed")]

    assert ranks == sorted(set(ranks))


@pytest.mark.parametrize("status", [*CALL_RANK, "levitating"])
def test_a_call_has_ended_when_nothing_can_come_after_it(status: str) -> None:
    ended = status in {"completed", "busy", "failed", "no-answer", "canceled"}

    assert outbound(1, status).ended is ended
    assert Call(**FACTS, status=status).ended is ended
