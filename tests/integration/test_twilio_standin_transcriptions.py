"""Transcriptions of calls, by TwiML and by the REST API: what is said on which track, in which order, and what goes wrong."""

import json
import time
from collections.abc import Sequence
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from local.twilio.receiver import Received, Receiver, twiml
from local.twilio.standin import TwilioStandIn
from local.twilio.voice.handset import PhoneCall
from local.twilio.voice.phones import Answers

from .account import ACCOUNT, COLLEAGUE, PERSON, is_signed
from .test_twilio_standin_calls_verbs import call_to, wait_until_connected

START = '<Start><Transcription name="main" statusCallbackUrl="/transcribed?who=callee"/></Start>'
IN, OUT = "inbound_track", "outbound_track"


def told(webhook: Receiver) -> list[Received]:
    return webhook.at("/transcribed")


def events(webhook: Receiver) -> list[str]:
    return [request.fields["TranscriptionEvent"].removeprefix("transcription-") for request in told(webhook)]


def numbers(webhook: Receiver) -> list[int]:
    return [int(request.fields["SequenceId"]) for request in told(webhook)]


def words(requests: Sequence[Received]) -> list[tuple[str, str]]:
    """Tracks and words, in the order of their numbers."""
    fields = [request.fields for request in requests if request.fields["TranscriptionEvent"] == "transcription-content"]
    in_order = sorted(fields, key=lambda one: int(one["SequenceId"]))
    return [(one["Track"], json.loads(one["TranscriptionData"])["transcript"]) for one in in_order]


def talk(twilio: TwilioStandIn, webhook: Receiver) -> PhoneCall:
    """A person calls, hears a word, and is connected with a colleague; they say a word each, and hang up."""
    twilio.phones[COLLEAGUE] = Answers()
    call = call_to(twilio, webhook, f"{START}<Say>One moment.</Say><Dial>{COLLEAGUE}</Dial>")
    other = twilio.wait_for_call(COLLEAGUE)
    wait_until_connected(call)
    call.say("Is the table ready?")
    other.say("It is.")
    call.say("Thank you.")
    call.hang_up()
    call.wait_until_ended()
    twilio.settle()
    return call


CONVERSATION = [(OUT, "One moment."), (IN, "Is the table ready?"), (OUT, "It is."), (IN, "Thank you.")]


def test_both_sides_are_told_in_order_with_their_tracks(twilio: TwilioStandIn, webhook: Receiver) -> None:
    call = talk(twilio, webhook)

    assert events(webhook) == ["started", "content", "content", "content", "content", "stopped"]
    assert numbers(webhook) == [1, 2, 3, 4, 5, 6]
    assert words(told(webhook)) == CONVERSATION
    started, content = told(webhook)[0], told(webhook)[2].fields
    assert is_signed(started, webhook.url)
    assert (started.fields["Name"], started.fields["LanguageCode"]) == ("main", "en-US")
    assert (content["AccountSid"], content["CallSid"], content["Final"]) == (ACCOUNT, call.sid, "true")
    assert content["TranscriptionSid"].startswith("GT")
    assert json.loads(content["TranscriptionData"])["confidence"] == 0.95
    assert content["Timestamp"].endswith("Z")


@pytest.mark.parametrize(("track", "heard"), [(IN, CONVERSATION[1::2]), (OUT, CONVERSATION[0::2])])
def test_one_track_is_told_alone(
    twilio: TwilioStandIn, webhook: Receiver, track: str, heard: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.START", START.replace("name=", f'track="{track}" name='))
    talk(twilio, webhook)

    assert words(told(webhook)) == heard
    assert numbers(webhook) == [1, 2, 3, 4]


def test_partial_results_have_numbers_too(twilio: TwilioStandIn, webhook: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.START", START.replace("name=", 'partialResults="true" name='))
    talk(twilio, webhook)

    content = [request.fields for request in told(webhook)[1:-1]]
    assert [one["Final"] for one in content] == ["false", "true"] * 4
    assert json.loads(content[0]["TranscriptionData"])["transcript"] == "One"
    assert numbers(webhook) == list(range(1, 11))


def test_it_is_stopped_by_its_name_and_another_may_have_it_then(twilio: TwilioStandIn, webhook: Receiver) -> None:
    stop = '<Stop><Transcription name="main"/></Stop>'
    call = call_to(twilio, webhook, f"{START}<Say>One.</Say>{stop}<Say>Two.</Say>{START}{START}<Say>Three.</Say>{stop}{stop}")
    call.wait_until_ended()
    twilio.settle()

    by_sid: dict[str, list[str]] = {}
    for request, event in zip(told(webhook), events(webhook), strict=True):
        by_sid.setdefault(request.fields["TranscriptionSid"], []).append(event)
    assert list(by_sid.values()) == [["started", "content", "stopped"]] * 2
    assert sorted(words(told(webhook))) == [(OUT, "One."), (OUT, "Three.")]
    assert [alert.code for alert in twilio.alerts] == [12200, 12200]  # it runs already, and it does not run


def test_played_files_and_keys_are_no_words(twilio: TwilioStandIn, webhook: Receiver) -> None:
    call = call_to(
        twilio, webhook, f'{START}<Play>a.mp3</Play><Play digits="12"/><Gather action="/end"><Say>Well?</Say></Gather>'
    )
    call.press("1")
    call.silence()
    call.wait_until_ended()
    twilio.settle()

    assert words(told(webhook)) == [(OUT, "Well?")]


# ----------------------------------------------------------------------------------------------------------------- REST


def live(twilio: TwilioStandIn, webhook: Receiver) -> PhoneCall:
    call = call_to(twilio, webhook, '<Say>Hello.</Say><Pause length="2000"/>')
    assert call.hears() == "Hello."
    return call


def test_a_live_call_is_transcribed_from_a_request_on_and_until_another(
    twilio: TwilioStandIn, webhook: Receiver, client: Client
) -> None:
    call = live(twilio, webhook)
    transcriptions = client.calls(call.sid).transcriptions

    created = transcriptions.create(
        name="main", status_callback_url=f"{webhook.url}/transcribed?who=callee", track="both_tracks"
    )
    call.say("Anybody there?")
    stopped = transcriptions("main").update(status="stopped")
    call.say("Nobody hears me.")
    call.hang_up()
    call.wait_until_ended()
    twilio.settle()

    assert (created.name, created.status, created.call_sid, created.account_sid) == ("main", "in-progress", call.sid, ACCOUNT)
    assert (stopped.sid, stopped.status) == (created.sid, "stopped")
    assert words(told(webhook)) == [(IN, "Anybody there?")]
    assert events(webhook) == ["started", "content", "stopped"]


def test_one_without_a_name_is_stopped_by_its_sid(twilio: TwilioStandIn, webhook: Receiver, client: Client) -> None:
    call = live(twilio, webhook)
    created = client.calls(call.sid).transcriptions.create()

    assert created.name == created.sid
    assert client.calls(call.sid).transcriptions(created.sid).update(status="stopped").status == "stopped"
    with pytest.raises(TwilioRestException) as gone:
        client.calls(call.sid).transcriptions(created.sid).update(status="stopped")
    assert gone.value.code == 20404


@pytest.mark.parametrize(
    ("asked", "code"),
    [({"name": "taken"}, 20001), ({"track": "middle_track"}, 20001), ({"status_callback_url": "ftp://x"}, 21609)],
)
def test_what_cannot_be_is_refused(
    twilio: TwilioStandIn, webhook: Receiver, client: Client, asked: dict[str, Any], code: int
) -> None:
    call = live(twilio, webhook)
    client.calls(call.sid).transcriptions.create(name="taken")

    with pytest.raises(TwilioRestException) as refused:
        client.calls(call.sid).transcriptions.create(**asked)

    assert refused.value.code == code


def test_a_call_that_is_over_or_unknown_is_not_transcribed(twilio: TwilioStandIn, webhook: Receiver, client: Client) -> None:
    call = live(twilio, webhook)
    call.hang_up()
    call.wait_until_ended()

    with pytest.raises(TwilioRestException) as over:
        client.calls(call.sid).transcriptions.create()
    with pytest.raises(TwilioRestException) as unknown:
        client.calls("CA" + "0" * 32).transcriptions.create()

    assert (over.value.code, unknown.value.code) == (21220, 20404)


# ----------------------------------------------------------------------------------------------------------------- faults


def test_shuffled_and_doubled_all_of_it_comes_at_the_end_and_in_no_order(twilio: TwilioStandIn, webhook: Receiver) -> None:
    twilio.faults.add("shuffle_transcript", seed=3)
    twilio.faults.add("double_transcript")
    talk(twilio, webhook)

    assert sorted(numbers(webhook)) == sorted([*range(1, 7)] * 2)
    assert numbers(webhook) != sorted(numbers(webhook))
    assert words(told(webhook))[::2] == CONVERSATION
    assert twilio.faults.pending() == []


@pytest.mark.parametrize(("kind", "came"), [("lose_transcript", [1, 2, 4, 5, 6]), ("late_transcript", [1, 2, 4, 5, 6, 3])])
def test_one_of_it_is_lost_or_late(twilio: TwilioStandIn, webhook: Receiver, kind: str, came: list[int]) -> None:
    twilio.faults.add(kind, sequence_id=3, to=PERSON)
    talk(twilio, webhook)

    assert numbers(webhook) == came


def test_one_that_fails_says_why_and_hears_nothing(twilio: TwilioStandIn, webhook: Receiver) -> None:
    twilio.faults.add("fail_transcript")
    talk(twilio, webhook)

    [failed] = told(webhook)
    assert failed.fields["TranscriptionEvent"] == "transcription-error"
    assert (failed.fields["TranscriptionErrorCode"], failed.fields["TranscriptionError"]) == ("32651", "Provider Error")
    assert [alert.code for alert in twilio.alerts] == [32651]


# ------------------------------------------------------------------------------------------------------------- recordings

BOTH = 'recordingStatusCallback="/recorded" recordingStatusCallbackEvent="in-progress completed absent"'


def recorded(webhook: Receiver) -> list[dict[str, str]]:
    return [request.fields for request in webhook.at("/recorded")]


def test_a_message_is_told_of_when_it_begins_and_when_it_is_there(twilio: TwilioStandIn, webhook: Receiver) -> None:
    webhook.pages["/done"] = twiml("<Hangup/>")
    call = call_to(twilio, webhook, f'<Record action="/done" {BOTH}/>')
    call.say("Please call me back.")
    call.press("#")
    call.wait_until_ended()
    twilio.settle()

    assert sorted(one["RecordingStatus"] for one in recorded(webhook)) == ["completed", "in-progress"]
    assert {one["RecordingSource"] for one in recorded(webhook)} == {"RecordVerb"}
    assert len({one["RecordingSid"] for one in recorded(webhook)}) == 1


@pytest.mark.parametrize("hangs_up", [False, True])
def test_a_message_without_a_word_is_absent(twilio: TwilioStandIn, webhook: Receiver, hangs_up: bool) -> None:
    call = call_to(twilio, webhook, f'<Record action="/done" {BOTH.replace("in-progress ", "")}/><Say>Nothing.</Say>')
    while ("twilio", "[beep]") not in [entry[1:] for entry in call.log]:
        time.sleep(0.005)
    call.hang_up() if hangs_up else call.silence()
    call.wait_until_ended()
    twilio.settle()

    [absent] = recorded(webhook)
    assert absent["RecordingStatus"] == "absent"
    assert "RecordingUrl" not in absent
    assert not webhook.at("/done")


@pytest.mark.parametrize(
    ("attribute", "channels"), [("record-from-answer-dual", "2"), ("record-from-ringing", "1"), ("true", "1")]
)
def test_a_dialled_call_is_recorded_once_it_is_over(
    twilio: TwilioStandIn, webhook: Receiver, attribute: str, channels: str
) -> None:
    call = call_to(twilio, webhook, f'<Dial action="/after" record="{attribute}" {BOTH}>{COLLEAGUE}</Dial>')
    other = twilio.wait_for_call(COLLEAGUE)
    wait_until_connected(call)
    other.hang_up()
    call.wait_until_ended()
    twilio.settle()

    [done] = recorded(webhook)
    assert (done["RecordingStatus"], done["RecordingSource"], done["RecordingChannels"]) == ("completed", "DialVerb", channels)
    assert (done["CallSid"], int(done["RecordingDuration"]) >= 1) == (call.sid, True)
    assert webhook.at("/after")[0].fields["RecordingUrl"] == done["RecordingUrl"]


def test_a_dialled_call_is_not_recorded_unasked(twilio: TwilioStandIn, webhook: Receiver) -> None:
    call = call_to(twilio, webhook, f'<Dial action="/after" record="do-not-record" {BOTH}>{COLLEAGUE}</Dial>')
    wait_until_connected(call)
    call.hang_up()
    call.wait_until_ended()
    twilio.settle()

    assert recorded(webhook) == []
    assert "RecordingUrl" not in webhook.at("/after")[0].fields


def test_an_event_that_no_recording_has_is_warned_of(twilio: TwilioStandIn, webhook: Receiver) -> None:
    call = call_to(twilio, webhook, '<Record recordingStatusCallback="/recorded" recordingStatusCallbackEvent="begun"/>')
    call.silence()
    call.wait_until_ended()

    assert [alert.code for alert in twilio.alerts] == [13621]
