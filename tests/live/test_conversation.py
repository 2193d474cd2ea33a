"""A first conversation with a person: a text, a call, and a text back. The very same runs against the stand-in."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from tests.live.line import Live
from twilio_plugin.domain.timestamp import iso
from twilio_plugin.domain.twilio_errors import explain

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

# They run in this order: by name where they are imported.
_CLOCKS = timedelta(seconds=10)  # this machine's may be wrong
_OVER = ("delivered", "undelivered", "failed")
_ON_ITS_WAY = ("queued", "sending", "sent", "accepted")


def test_first_a_text_goes_out(live: Live) -> None:
    key = f"live-{uuid.uuid4()}"
    body = "This is your agent. It will call you now; then please text something back."

    sent = live.ask(lambda: live.plugin.send_sms(live.person, body, idempotency_key=key)).messages[0]
    live.tell(f"text {sent.message_sid[:6]}… is {sent.status}: “{body}”")
    reports = _Statuses(live, sent.message_sid)
    try:
        status = live.wait("Word of the text", 20, reports.final)
    except pytest.fail.Exception:
        # Carriers may take their time, or say nothing at all.
        assert reports.last in _ON_ITS_WAY, reports.last
        live.tell(f"no word of its delivery yet; it is {reports.last}")
        return

    assert status == "delivered", f"{status}: {explain(reports.error_code)}"


def test_second_a_call_goes_out(live: Live) -> None:
    words = "This is your agent. Everything works. Please text something back after this call. Goodbye."

    made = live.ask(lambda: live.plugin.make_call(live.person, say=words, idempotency_key=f"live-{uuid.uuid4()}"))
    live.tell(f"call {made.call_sid[:6]}… is {made.status}")
    told = [made.status]

    def ended() -> str | None:
        (call,) = live.plugin.call_state(made.call_sid).calls
        if call.status != told[-1]:
            told.append(call.status)
            live.tell(f"call {made.call_sid[:6]}… is {call.status}")
        return call.status if call.ended_at else None

    status = live.wait("The end of the call", 120, ended)

    assert status == "completed", f"The call ended as {status}: was it answered?"


def test_third_a_text_comes_back(live: Live) -> None:
    since = iso(live.stack.since - _CLOCKS)
    live.tell(f"waiting {live.patience:.0f} s for a text from you …")

    def came() -> str | None:
        texts = live.plugin.conversation_history(live.person).messages
        new = [one for one in texts if one.direction == "inbound" and one.kind != "speech" and one.occurred_at > since]
        return new[-1].body if new else None

    said = live.wait("A text back", live.patience, came)
    live.tell(f"you wrote “{said}”")

    assert said


class _Statuses:
    """What becomes of a text, told as it changes."""

    def __init__(self, live: Live, message_sid: str) -> None:
        self.last: str | None = None
        self.error_code: int | None = None
        self._live, self._message_sid = live, message_sid

    def final(self) -> str | None:
        """The status, once no other follows."""
        texts = self._live.plugin.conversation_history(self._live.person).messages
        (text,) = (one for one in texts if one.message_sid == self._message_sid)
        if text.status != self.last:
            self.last, self.error_code = text.status, text.error_code
            self._live.tell(f"text {self._message_sid[:6]}… is {text.status}")
        return self.last if self.last in _OVER else None
