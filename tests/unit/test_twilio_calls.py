"""`TwilioCalls` against a real HTTP server on the loopback, which answers as a script says."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.unit.fakes import ACCOUNT
from tests.unit.fakes_calls import OURS, THEIRS, inbound, outbound, sid
from tests.unit.fakes_numbers import FakeRestSecret
from tests.unit.http_server import TOO_MANY, Answer, Hangup, Server, assert_silent, nobody, refused, running
from twilio_plugin.adapters.twilio_calls import TwilioCalls
from twilio_plugin.adapters.twilio_rest import TwilioRest
from twilio_plugin.domain.address import Address
from twilio_plugin.domain.call import CallRequest, call_update
from twilio_plugin.domain.machine_detection import MachineDetection
from twilio_plugin.domain.transcription import asked_for
from twilio_plugin.errors import PluginError, SendOutcomeUnknown, StorageUnavailable, TwilioRejected, TwilioUnavailable

REQUEST = CallRequest(
    request_id="key 1/ä&=#",
    fingerprint="f",
    sender=Address("phone", OURS),
    recipient=Address("phone", THEIRS),
    time_limit=600,
    twiml="<Response><Say>Geheim &amp; sicher 👋</Say></Response>",
)
BY_URL = dataclasses.replace(REQUEST, twiml=None, url="https://example.com/twiml?a=b&c=d")
WEBHOOK_URL = "https://example.com/webhooks/twilio"
CALLS_PATH = f"/2010-04-01/Accounts/{ACCOUNT}/Calls"
ASKED = asked_for("callee", language="en-GB", webhook_url=WEBHOOK_URL)
SINCE = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


@dataclass
class Caller:
    calling: TwilioCalls
    pauses: list[float]


Calls = Callable[..., Caller]


@pytest.fixture(scope="module")
def _http() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture
def twilio(_http: Server) -> Server:
    _http.reset()
    return _http


@pytest.fixture
def calls(twilio: Server) -> Iterator[Calls]:
    """Make a client of the server; its pauses are noted, not slept."""
    made: list[TwilioRest] = []

    def make(url: str = "") -> Caller:
        pauses: list[float] = []
        made.append(TwilioRest(ACCOUNT, FakeRestSecret(), api_base_url=url or twilio.url, pause=pauses.append))
        return Caller(TwilioCalls(made[-1], webhook_url=WEBHOOK_URL), pauses)

    yield make
    for rest in made:
        rest._http.session.close()


def call_json(number: int = 1, **fields: Any) -> dict[str, Any]:
    usual = {"status": "queued", "direction": "outbound-api", "duration": None, "from": OURS, "to": THEIRS}
    given = {name.rstrip("_"): value for name, value in fields.items()}
    return {"sid": sid(number), "account_sid": ACCOUNT} | usual | given


def answer(number: int = 1, http_status: int = 201, **fields: Any) -> Answer:
    return Answer(http_status, json.dumps(call_json(number, **fields)))


def listed(*found: dict[str, Any], next_page: str | None = None) -> Answer:
    return Answer(200, json.dumps({"calls": list(found), "next_page_uri": next_page}))


CHANGES: dict[str, Callable[[TwilioCalls], object]] = {
    "make": lambda calling: calling.make(REQUEST),
    "redirect": lambda calling: calling.redirect(sid(1), twiml="<Response/>"),
    "end": lambda calling: calling.end(sid(1)),
    "limit": lambda calling: calling.limit(sid(1), 600),
    "start_transcription": lambda calling: calling.start_transcription(sid(1), ASKED),
    "stop_transcription": lambda calling: calling.stop_transcription(sid(1), "GT1"),
}
READS: dict[str, Callable[[TwilioCalls], object]] = {
    "fetch": lambda calling: calling.fetch(sid(1)),
    "made": lambda calling: calling.made(REQUEST, since=SINCE),
}


@pytest.fixture(params=list(CHANGES.values()), ids=list(CHANGES))
def change(request: pytest.FixtureRequest) -> Callable[[TwilioCalls], object]:
    found: Callable[[TwilioCalls], object] = request.param
    return found


# --------------------------------------------------------------------------------------------------- what is asked for


def test_a_call_is_posted_with_everything_twilio_needs(twilio: Server, calls: Calls) -> None:
    twilio.script = [answer()]

    assert calls().calling.make(REQUEST) == outbound(1)

    (asked,) = twilio.asked
    assert (asked.method, asked.path) == ("POST", f"{CALLS_PATH}.json")
    assert asked.user_and_password == (ACCOUNT, "token")
    assert {name: values for name, values in asked.form.items() if name != "StatusCallback"} == {
        "To": [THEIRS],
        "From": [OURS],
        "Twiml": [REQUEST.twiml],
        "TimeLimit": ["600"],
        "StatusCallbackEvent": ["initiated", "ringing", "answered", "completed"],
    }


def test_the_status_callback_brings_our_request_id_back_and_asks_twilio_to_retry(twilio: Server, calls: Calls) -> None:
    twilio.script = [answer()]

    calls().calling.make(REQUEST)

    url = urlsplit(twilio.asked[0].form["StatusCallback"][0])
    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{WEBHOOK_URL}/status"
    assert url.fragment == "rc=3&rp=5xx,ct,rt"
    query = dict(parse_qsl(url.query))
    assert query == {"request": REQUEST.request_id}
    form = {"CallSid": sid(1), "AccountSid": ACCOUNT, "From": OURS, "To": THEIRS, "CallStatus": "ringing"}
    assert call_update(form, query).request_id == REQUEST.request_id


def test_a_url_takes_the_place_of_a_document(twilio: Server, calls: Calls) -> None:
    twilio.script = [answer()]
    caller = calls()

    caller.calling.make(BY_URL)
    caller.calling.redirect(sid(1), url=BY_URL.url)

    assert [(asked.form.get("Url"), asked.form.get("Twiml")) for asked in twilio.asked] == [([BY_URL.url], None)] * 2


def test_a_call_with_nothing_to_hear_asks_our_webhook_with_its_request_and_has_the_fallback_behind_it(
    twilio: Server, calls: Calls
) -> None:
    twilio.script = [answer()]

    calls().calling.make(dataclasses.replace(REQUEST, twiml=None))

    form = twilio.asked[0].form
    url = urlsplit(form["Url"][0])
    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{WEBHOOK_URL}/voice"
    assert dict(parse_qsl(url.query)) == {"request": REQUEST.request_id}
    assert url.fragment == "rc=1&rp=5xx,ct&rt=5000"
    assert form["FallbackUrl"] == [f"{WEBHOOK_URL}/voice/fallback"]
    assert "Twiml" not in form


def test_a_call_in_a_mode_of_its_own_tells_our_webhook_which(twilio: Server, calls: Calls) -> None:
    twilio.script = [answer()]

    calls().calling.make(dataclasses.replace(REQUEST, twiml=None, voice_mode="gather"))

    assert dict(parse_qsl(urlsplit(twilio.asked[0].form["Url"][0]).query))["mode"] == "gather"


def test_a_recording_is_asked_for_with_word_of_its_end(twilio: Server, calls: Calls) -> None:
    twilio.script = [answer()]

    calls().calling.make(dataclasses.replace(REQUEST, record=True))

    form = twilio.asked[0].form
    assert {name: values for name, values in form.items() if name.startswith("Record")} == {
        "Record": ["true"],
        "RecordingStatusCallback": [f"{WEBHOOK_URL}/status#rc=3&rp=5xx,ct,rt"],
        "RecordingStatusCallbackEvent": ["completed", "absent"],
    }


def test_a_recorded_call_to_the_agent_tells_our_webhook_because_a_relayed_one_is_recorded_by_its_document(
    twilio: Server, calls: Calls
) -> None:
    twilio.script = [answer()]

    calls().calling.make(dataclasses.replace(REQUEST, twiml=None, record=True))

    assert dict(parse_qsl(urlsplit(twilio.asked[0].form["Url"][0]).query))["record"] == "true"


@pytest.mark.parametrize(
    ("wanted", "mode"),
    [
        (MachineDetection("continue"), "Enable"),
        (MachineDetection("hang_up"), "Enable"),
        (MachineDetection("leave_message", "<Response><Say>Bye</Say></Response>"), "DetectMessageEnd"),
    ],
    ids=lambda one: getattr(one, "on_machine", one),
)
def test_a_machine_is_detected_while_the_call_goes_on_and_to_its_beep_where_a_message_is_left(
    twilio: Server, calls: Calls, wanted: MachineDetection, mode: str
) -> None:
    twilio.script = [answer()]

    calls().calling.make(dataclasses.replace(REQUEST, machine_detection=wanted))

    form = twilio.asked[0].form
    assert (form["MachineDetection"], form["AsyncAmd"]) == ([mode], ["true"])
    url = urlsplit(form["AsyncAmdStatusCallback"][0])
    assert (f"{url.scheme}://{url.netloc}{url.path}", url.fragment) == (f"{WEBHOOK_URL}/status", "rc=3&rp=5xx,ct,rt")
    assert dict(parse_qsl(url.query)) == {"request": REQUEST.request_id}
    assert form["Twiml"] == [REQUEST.twiml]


def test_a_live_call_is_given_another_document(twilio: Server, calls: Calls) -> None:
    twilio.script = [answer(http_status=200, status="in-progress")]

    assert calls().calling.redirect(sid(1), twiml="<Response/>") == "in-progress"

    (asked,) = twilio.asked
    assert (asked.method, asked.path) == ("POST", f"{CALLS_PATH}/{sid(1)}.json")
    assert asked.form == {"Twiml": ["<Response/>"]}


def test_a_transcription_is_asked_for_with_where_its_words_go(twilio: Server, calls: Calls) -> None:
    twilio.script = [Answer(201, json.dumps({"sid": "GT1", "status": "in-progress"}))]

    assert calls().calling.start_transcription(sid(1), ASKED) == "GT1"

    (asked,) = twilio.asked
    assert (asked.method, asked.path) == ("POST", f"{CALLS_PATH}/{sid(1)}/Transcriptions.json")
    assert asked.form == {
        "Name": ["twilio-plugin-transfer"],
        "Track": ["both_tracks"],
        "StatusCallbackUrl": [f"{WEBHOOK_URL}/status?outbound_track=callee#rc=3&rp=5xx,ct,rt"],
        "InboundTrackLabel": ["person"],
        "OutboundTrackLabel": ["callee"],
        "LanguageCode": ["en-GB"],
        "PartialResults": ["false"],
    }


@pytest.mark.parametrize("named", ["GT1", "twilio-plugin-call"])
def test_a_transcription_is_stopped_by_its_sid_or_its_name(twilio: Server, calls: Calls, named: str) -> None:
    twilio.script = [Answer(200, json.dumps({"sid": "GT1", "status": "stopped"}))]

    assert calls().calling.stop_transcription(sid(1), named) == "stopped"

    (asked,) = twilio.asked
    assert (asked.method, asked.path) == ("POST", f"{CALLS_PATH}/{sid(1)}/Transcriptions/{named}.json")
    assert asked.form == {"Status": ["stopped"]}


def test_a_call_is_ended_by_completing_it(twilio: Server, calls: Calls) -> None:
    twilio.script = [answer(http_status=200, status="completed")]

    assert calls().calling.end(sid(1)) == "completed"

    (asked,) = twilio.asked
    assert (asked.method, asked.path, asked.form) == ("POST", f"{CALLS_PATH}/{sid(1)}.json", {"Status": ["completed"]})


def test_a_call_is_limited_while_it_goes_on(twilio: Server, calls: Calls) -> None:
    twilio.script = [answer(http_status=200, status="in-progress")]

    assert calls().calling.limit(sid(1), 600) == "in-progress"

    (asked,) = twilio.asked
    assert (asked.method, asked.path, asked.form) == ("POST", f"{CALLS_PATH}/{sid(1)}.json", {"TimeLimit": ["600"]})


# -------------------------------------------------------------------------------------------------------- what follows


@pytest.mark.parametrize(("status", "code"), [(404, 20404), (400, 21220), (401, 20003)])
def test_a_refusal_is_final_and_explained_without_the_number(
    twilio: Server, calls: Calls, change: Callable[[TwilioCalls], object], status: int, code: int
) -> None:
    twilio.script = [refused(status, code)]
    caller = calls()

    with pytest.raises(TwilioRejected, match=f"{code}: ") as error:
        change(caller.calling)

    assert (error.value.twilio_code, error.value.status) == (code, status)
    assert "+1415" not in str(error.value)
    assert len(twilio.asked) == 1
    assert caller.pauses == []


def test_too_many_requests_are_tried_again(twilio: Server, calls: Calls, change: Callable[[TwilioCalls], object]) -> None:
    twilio.script = [TOO_MANY, TOO_MANY, TOO_MANY, answer()]
    caller = calls()

    assert change(caller.calling)

    assert len(twilio.asked) == 4
    assert len(caller.pauses) == 3


def test_too_many_requests_for_ever_are_reported_as_nothing_done(
    twilio: Server, calls: Calls, change: Callable[[TwilioCalls], object]
) -> None:
    twilio.script = [TOO_MANY]

    with pytest.raises(TwilioUnavailable, match="HTTP 429"):
        change(calls().calling)


def test_a_connection_that_never_came_about_is_tried_again_and_reported_as_nothing_done(
    calls: Calls, change: Callable[[TwilioCalls], object]
) -> None:
    caller = calls(nobody())

    with pytest.raises(TwilioUnavailable):
        change(caller.calling)

    assert len(caller.pauses) == 3


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(refused(500, 20500), id="500"),
        pytest.param(Answer(201, "<html>Welcome to our Wi-Fi</html>", "text/html"), id="201 as HTML"),
        pytest.param(Answer(201, "null"), id="201 with null"),
        pytest.param(Hangup(), id="connection dropped"),
    ],
)
def test_an_answer_that_leaves_it_open_is_reported_so_and_nothing_is_repeated(
    twilio: Server, calls: Calls, change: Callable[[TwilioCalls], object], trouble: Answer | Hangup
) -> None:
    twilio.script = [trouble, answer()]
    caller = calls()

    with pytest.raises(SendOutcomeUnknown) as error:
        change(caller.calling)

    assert "+1415" not in str(error.value)
    assert error.value.__cause__
    assert len(twilio.asked) == 1
    assert caller.pauses == []


@pytest.mark.parametrize("body", ["{}", json.dumps(call_json(sid=None)), json.dumps(call_json(duration="soon"))])
def test_a_call_that_was_made_and_cannot_be_read_leaves_it_open(twilio: Server, calls: Calls, body: str) -> None:
    twilio.script = [Answer(201, body)]

    with pytest.raises(SendOutcomeUnknown):
        calls().calling.make(REQUEST)


# ------------------------------------------------------------------------------------------------------- looking it up


def test_a_call_is_fetched_with_what_twilio_says_of_it(twilio: Server, calls: Calls) -> None:
    twilio.script = [answer(http_status=200, status="completed", duration="42")]

    assert calls().calling.fetch(sid(1)) == outbound(1, "completed", duration=42)
    assert (twilio.asked[0].method, twilio.asked[0].path) == ("GET", f"{CALLS_PATH}/{sid(1)}.json")


def test_a_persons_call_is_fetched_as_inbound(twilio: Server, calls: Calls) -> None:
    twilio.script = [answer(http_status=200, status="completed", duration="0", direction="inbound", from_=THEIRS, to=OURS)]

    assert calls().calling.fetch(sid(1)) == inbound(1, "completed", duration=0)


@pytest.mark.parametrize("hidden", ["", None])
def test_a_call_with_a_hidden_number_is_fetched_as_the_webhook_told_it(
    twilio: Server, calls: Calls, hidden: str | None
) -> None:
    """Otherwise its end is told in another conversation, or never."""
    twilio.script = [answer(http_status=200, status="completed", direction="inbound", from_=hidden, to=OURS)]
    form = {"CallSid": sid(1), "AccountSid": ACCOUNT, "From": "", "To": OURS, "CallStatus": "completed"}

    assert calls().calling.fetch(sid(1)) == call_update(form, {})


def test_a_call_that_twilio_does_not_know_is_none(twilio: Server, calls: Calls) -> None:
    twilio.script = [refused(404, 20404)]

    assert calls().calling.fetch(sid(1)) is None


@pytest.mark.parametrize("read", READS.values(), ids=READS)
@pytest.mark.parametrize("trouble", [refused(401, 20003), TOO_MANY, Answer(200, "<html>"), Hangup()])
def test_what_cannot_be_read_says_nothing_about_the_call(
    twilio: Server, calls: Calls, read: Callable[[TwilioCalls], object], trouble: Answer | Hangup
) -> None:
    twilio.script = [trouble]

    with pytest.raises(StorageUnavailable) as error:
        read(calls().calling)

    assert "+1415" not in str(error.value)
    assert error.value.__cause__


def test_twilios_list_is_asked_for_by_the_pair_and_not_by_a_time_that_queued_calls_do_not_have(
    twilio: Server, calls: Calls
) -> None:
    twilio.script = [listed()]

    assert calls().calling.made(REQUEST, since=SINCE) == []

    url = urlsplit(twilio.asked[0].path)
    assert (twilio.asked[0].method, url.path) == ("GET", f"{CALLS_PATH}.json")
    query = dict(parse_qsl(url.query))
    assert (query["To"], query["From"]) == (THEIRS, OURS)
    assert not [name for name in query if "Time" in name or "Date" in name]


def test_twilios_list_is_read_page_by_page_oldest_first_and_from_the_moment_on(twilio: Server, calls: Calls) -> None:
    def at(number: int, time: str, **more: Any) -> dict[str, Any]:
        return call_json(number, date_created=f"Sun, 22 Nov 2026 {time} +0000", **more)

    twilio.script = [
        listed(call_json(5), at(4, "08:00:04"), at(3, "08:00:00"), next_page=f"{CALLS_PATH}.json?Page=1"),
        listed(at(2, "07:59:59"), at(1, "08:00:02")),
    ]

    found = calls().calling.made(REQUEST, since=SINCE)

    assert found == [outbound(3), outbound(4), outbound(5)]
    assert len(twilio.asked) == 2


def test_the_leg_of_a_transfer_is_not_listed_as_a_call_that_we_made(twilio: Server, calls: Calls) -> None:
    """``<Dial>`` calls a number as ours too. Taken for a lost request, it would hide that nobody was called."""
    created = {"date_created": "Sun, 22 Nov 2026 08:00:02 +0000"}
    twilio.script = [
        listed(call_json(2, direction="outbound-dial", parent_call_sid=sid(9), **created), call_json(1, **created))
    ]

    assert calls().calling.made(REQUEST, since=SINCE) == [outbound(1)]


# ------------------------------------------------------------------------------------------------------------- silence


@pytest.mark.parametrize(
    "trouble", [answer(), refused(400, 21211), TOO_MANY, refused(500, 20500), Answer(201, "Geheim"), Hangup()]
)
def test_no_words_and_no_number_are_in_any_log_when_calling(
    twilio: Server, calls: Calls, caplog: pytest.LogCaptureFixture, trouble: Answer | Hangup
) -> None:
    caplog.set_level(logging.DEBUG)
    twilio.script = [trouble]

    try:
        calls().calling.make(REQUEST)
    except PluginError as error:
        logging.getLogger("test").error("told: %s", error)

    assert_silent(caplog)


def test_no_number_is_in_any_log_when_looking_up(twilio: Server, calls: Calls, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    twilio.script = [listed(call_json(1))]

    calls().calling.made(REQUEST, since=SINCE)

    assert_silent(caplog)
