"""What only a live account can settle: one check a question. Each prints what it finds; `docs/live.md` lists them.

Those that the stand-in can play run against it too, where they show that the check works, not what Twilio does.
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from tests.live.line import Live
from twilio_plugin.adapters.conversations import ConversationsTable
from twilio_plugin.adapters.dynamodb import DynamoDB
from twilio_plugin.adapters.outbox import OutboxTable
from twilio_plugin.adapters.streams import StreamsReader
from twilio_plugin.adapters.utterances import UtterancesTable
from twilio_plugin.domain.audio import BYTES_PER_SECOND
from twilio_plugin.domain.speech import Utterance
from twilio_plugin.domain.stream import Stream
from twilio_plugin.errors import TwilioRejected

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]

_WORDS = "This is a test of the line."
# With base64 and JSON around it well over API Gateway's 32 KB of a frame, and under its 128 KB of a message.
_LARGE_SECONDS = 5
_MESSAGE_ERRORS = (31950, 31951)


@dataclass(frozen=True)
class Streamed:
    """What was measured in a streamed call. Times are seconds."""

    call_sid: str
    words_seconds: float
    played_after: float
    """From `say`'s answer until the last mark of its words had come back and was stored."""
    large_bytes: int
    open_afterwards: bool
    frames: int
    gaps: int


@pytest.fixture(scope="module")
def streamed(live: Live) -> Streamed:
    """A call with a stream: something is said, a large message is sent, and it is ended."""
    tables = _Tables(live)
    made = live.ask(lambda: live.plugin.make_call(live.person, idempotency_key=f"live-{uuid.uuid4()}", voice_mode="stream"))
    live.tell(f"streamed call {made.call_sid[:6]}…: please answer, and say nothing for a quarter of a minute")
    try:
        stream = live.wait("The stream", 60, lambda: tables.stream(made.call_sid))
        said = live.ask(lambda: live.plugin.say(made.call_sid, _WORDS, allow_barge_in=False))
        began = time.monotonic()
        utterance = live.wait("The end of the words", 60, lambda: tables.said(made.call_sid, said.utterance_id))
        played_after = time.monotonic() - began
        size = _send_large(live, stream)
        time.sleep(1)
        still = tables.stream(made.call_sid)
    finally:
        with suppress(TwilioRejected):  # it may be over already
            live.plugin.end_call(made.call_sid)
    ended = live.wait("The end of the stream", 60, lambda: tables.ended(made.call_sid))
    return Streamed(
        made.call_sid,
        utterance.heard_milliseconds / 1000,
        played_after,
        size,
        still is not None and still.ended_at is None,
        ended.frames,
        ended.gaps,
    )


def test_1_which_url_twilio_signs_for_a_socket(live: Live, streamed: Streamed) -> None:
    signed = {lines[0]["signed"] for lines in live.sockets()}
    live.tell(f"settled 1: Twilio signs a stream's handshake over {', '.join(map(str, signed))}")

    assert signed
    assert None not in signed, "a handshake was signed over none of the forms that the authorizer tries"


def test_2_whether_frames_get_lost_or_overtake_one_another_for_good(live: Live, streamed: Streamed) -> None:
    live.tell(f"settled 2: of {streamed.frames} frames, {streamed.gaps} were missing when they were to be heard")

    assert streamed.frames > 0
    assert streamed.gaps <= streamed.frames // 100


def test_3_how_long_the_way_there_and_back_takes(live: Live, streamed: Streamed) -> None:
    delay = streamed.played_after - streamed.words_seconds
    live.tell(f"settled 3: {streamed.words_seconds:.1f} s of words were over {delay:+.2f} s after they could have been")

    assert delay < 5


def test_4_whether_twilio_takes_messages_of_several_frames(live: Live, streamed: Streamed) -> None:
    alerts = [
        int(alert.error_code)
        for alert in live.stack.twilio.monitor.v1.alerts.list(start_date=live.stack.since, limit=100)
        if alert.resource_sid == streamed.call_sid and int(alert.error_code) in _MESSAGE_ERRORS
    ]
    state = "open" if streamed.open_afterwards else "over"
    live.tell(f"settled 4: after a message of {streamed.large_bytes} bytes the stream was {state}")

    assert streamed.large_bytes > 32 * 1024
    assert streamed.open_afterwards
    assert not alerts, "Twilio's debugger says that it could not read a message"


def test_5_whether_messages_of_ours_keep_an_idle_socket_open(live: Live) -> None:
    pytest.skip("a media stream is never idle; it matters for ConversationRelay, and takes over ten minutes of silence")


def test_6_how_the_signatures_header_is_spelt(live: Live, streamed: Streamed) -> None:
    asked = [lines[0]["headers"] for lines in live.sockets()] + [one["headers"] for one in live.exchanges()]
    spelt = {name for headers in asked for name in headers if name.lower() == "x-twilio-signature"}
    live.tell(f"settled 6: the header is spelt {', '.join(sorted(spelt))}")

    assert spelt


def test_7_which_fields_transcriptions_and_relayed_calls_have(live: Live) -> None:
    fields = {
        (one["fields"]["TranscriptionEvent"], *one["fields"])
        for one in live.exchanges()
        if "TranscriptionEvent" in one["fields"]
    }
    messages = {(line["message"]["type"], *line["message"]) for line in _messages(live) if "type" in line["message"]}
    if not fields | messages:
        pytest.skip("the recording has no transcription and no relayed call")
    for kind, *names in sorted(fields | messages):
        live.tell(f"settled 7: {kind} has {', '.join(names)}")


def test_8_what_a_pipe_can_do(live: Live) -> None:
    pytest.skip("the outbox is relayed by a function, not by a pipe: decision 0001")


def test_9_what_it_costs_and_what_the_account_may_do(live: Live) -> None:
    account = live.stack.account
    text = live.stack.twilio.messages.list(from_=live.stack.numbers[0], limit=1)
    call = live.stack.twilio.calls.list(from_=live.stack.numbers[0], limit=1)
    prices = [
        f"a {name} {one[0].price or '(not priced yet)'} {one[0].price_unit or ''}".rstrip()
        for name, one in (("text", text), ("call", call))
        if one
    ]
    live.tell(f"settled 9: a {account.type} account; the last cost {', '.join(prices) or 'nothing'}")

    assert account.status == "active"


def test_10_whether_twilio_reads_a_signed_s3_address_with_head(live: Live) -> None:
    pytest.skip("nothing here signs addresses of S3")


def _messages(live: Live) -> Iterator[dict[str, Any]]:
    for lines in live.sockets():
        yield from (line for line in lines if isinstance(line.get("message"), dict))


class _Tables:
    """What the stack keeps of a call, as its own functions read it."""

    def __init__(self, live: Live) -> None:
        database, output = DynamoDB(live.where.client("dynamodb")), live.stack.output
        outbox = OutboxTable(database, output("OutboxTableName"))
        conversations = ConversationsTable(database, output("ConversationsTableName"), outbox, retention_days=1)
        self._streams = StreamsReader(database, output("CallsTableName"))
        self._utterances = UtterancesTable(database, output("CallsTableName"), outbox, conversations, retention_days=1)

    def stream(self, call_sid: str) -> Stream | None:
        return self._streams.of_call(call_sid)

    def ended(self, call_sid: str) -> Stream | None:
        stream = self.stream(call_sid)
        return stream if stream and stream.ended_at else None

    def said(self, call_sid: str, utterance_id: str) -> Utterance | None:
        """An utterance that is over."""
        utterance = self._utterances.find(call_sid, utterance_id)
        return utterance if utterance and utterance.state != "speaking" else None


def _send_large(live: Live, stream: Stream) -> int:
    """Send seconds of silence in one message; its size in bytes."""
    silence = base64.b64encode(b"\xff" * BYTES_PER_SECOND * _LARGE_SECONDS).decode()
    message = json.dumps({"event": "media", "streamSid": stream.stream_sid, "media": {"payload": silence}}).encode()
    connections = _connections(live)
    connections.post_to_connection(ConnectionId=stream.connection_id, Data=message)
    return len(message)


def _connections(live: Live) -> Any:
    url = live.stack.environment("say")["WEBSOCKET_MANAGEMENT_URL"]
    session: boto3.Session = live.where.session
    return session.client("apigatewaymanagementapi", endpoint_url=url)
