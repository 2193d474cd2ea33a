"""A first conversation with the local stack, played and printed as it happens. Every step is checked."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from local.bus import BusListener, is_event
from local.callers import SAID, caller
from local.keepsake import keep_call
from local.stack import LocalStack
from local.twilio.standin import TwilioStandIn
from local.twilio.voice.handset import PhoneCall

ADA = "+15555550142"
SHOWN = ("from", "to", "body", "status", "state", "text", "heard", "digit")
GOODBYE = "<Response><Say>We are closed today. Goodbye.</Say><Hangup/></Response>"


# How Ada says something on the phone, by the mode of the call: by her voice, or as words that Twilio understands.
MODES: dict[str, Callable[[PhoneCall, str], None]] = {
    "stream": lambda call, name: call.play_sound(caller(name), SAID[name].words, wait=True),
    "relay": lambda call, name: call.say(SAID[name].words),
    "gather": lambda call, name: call.say(SAID[name].words),
}


class Surprise(AssertionError):
    """A step did not go as expected."""


class Demo:
    """The steps, in order. Each prints what it shows."""

    def __init__(self, stack: LocalStack, twilio: TwilioStandIn) -> None:
        self._stack = stack
        self._twilio = twilio
        self._bus = BusListener(stack.engine, stack.outputs["EventBusName"])

    def play(self) -> bool:
        """Whether every step was as expected."""
        steps: list[Callable[[], None]] = [
            self.a_text_in,
            self.the_agent_answers,
            self.a_picture,
            self.a_delivery,
            self.a_forged_webhook,
            self.stop_and_start,
            self.the_history,
            self.a_spoken_call,
            self.a_document_takes_over,
            self.a_call_out,
            self.a_call_in_each_mode,
        ]
        surprises = 0
        for number, step in enumerate(steps, start=1):
            title = step.__name__.replace("_", " ")
            print(f"\n{_bold(f'{number}. {title[0].upper()}{title[1:]}')}")
            try:
                step()
            except (Surprise, TimeoutError) as surprise:
                surprises += 1
                print(f"   {_red('✗')} {surprise}")
        print(f"\n{_green('✓ Every step was as expected.') if not surprises else _red(f'✗ {surprises} steps went wrong.')}")
        return not surprises

    def a_text_in(self) -> None:
        _say("Ada", "Hello! Are you open on Saturday?")
        exchange = self._twilio.receive_text(ADA, "Hello! Are you open on Saturday?")
        _detail(f"POST {exchange.url} → {exchange.status} {exchange.body}")
        _expect(exchange.status == 200 and "<Response/>" in exchange.body, "an empty TwiML answer")
        self._event("SMS_RECEIVED", message_sid=exchange.fields["MessageSid"])

    def the_agent_answers(self) -> None:
        sent = self._event("SMS_SENT", to=ADA)
        text = self._twilio.wait_for_text(ADA, timeout=30)
        _say("Agent", text.body)
        _expect(text.body == sent["detail"]["body"] and "Saturday" in text.body, "the agent's words on Ada's phone")

    def a_picture(self) -> None:
        _say("Ada", "This one? [cat.png]")
        exchange = self._twilio.receive_text(ADA, "This one?", media=[("image/png", b"\x89PNG a cat")])
        event = self._event("SMS_RECEIVED", message_sid=exchange.fields["MessageSid"])
        _expect(event["detail"]["media"][0]["content_type"] == "image/png", "the picture in the event")
        text = self._twilio.wait_for_text(ADA, after=1, timeout=30)
        _say("Agent", text.body)
        _expect("image/png" in text.body, "an answer that knows of the picture")

    def a_delivery(self) -> None:
        result = self._stack.invoke("send-sms", {"to": "(555) 555-0142", "body": "Your table is ready 🍝"})
        (message,) = result["messages"]
        _say("Agent", message["body"])
        _detail(f"send-sms → {message['message_sid']} {message['status']} {message['encoding']} segments={message['segments']}")
        self._event("SMS_STATUS_CHANGED", message_sid=message["message_sid"], status="delivered")

    def a_forged_webhook(self) -> None:
        request = urllib.request.Request(
            f"{self._stack.webhook_url}/sms",
            data=b"MessageSid=SM00000000000000000000000000000000&From=%2B15555550142&To=%2B15555550100&Body=Pay+me",
            headers={"X-Twilio-Signature": "bm90IHNpZ25lZCBieSBUd2lsaW8="},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, body = answer.status, ""
        except urllib.error.HTTPError as error:
            status, body = error.code, error.read().decode()
            error.close()
        _detail(f"POST {request.full_url} → {status} {body}")
        _expect(status == 403, "a refusal")

    def stop_and_start(self) -> None:
        _say("Ada", "STOP")
        self._twilio.receive_text(ADA, "STOP")
        self._event("OPT_OUT_CHANGED", state="opted_out")
        try:
            self._stack.invoke("send-sms", {"to": ADA, "body": "But wait!"})
        except RuntimeError as refusal:
            _detail(f"send-sms → {refusal}")
            _expect("RecipientOptedOut" in str(refusal), "a refusal by the ledger")
        else:
            raise Surprise("A text went out to a person who said STOP.")
        _say("Ada", "START")
        self._twilio.receive_text(ADA, "START")
        self._event("OPT_OUT_CHANGED", state="opted_in")

    def the_history(self) -> None:
        history: Any = self._stack.invoke("conversation-history", {"phone_number": ADA, "limit": 20})
        for line in history["text"].splitlines():
            _detail(line)
        roles = [turn["role"] for turn in history["turns"]]
        _detail(f"turns for a model: {', '.join(roles)}")
        _expect(roles == ["user", "assistant"] * 2, "two turns of each side, alternating")

    def a_spoken_call(self) -> None:
        call = self._twilio.call_in(ADA)
        _say("Ada hears", call.hears(30))
        self._event("CALL_RECEIVED", call_sid=call.sid)
        self._event("VOICE_STREAM_STARTED", call_sid=call.sid)
        self._asks(call, "opening_hours")
        echo = f"You said: {SAID['opening_hours'].words}."
        self._event("SPEECH_PLAYED", call_sid=call.sid, text=echo)
        self._asks(call, "my_order")
        call.wait_for_audio(0.8, timeout=30, after=call.stream.now)
        _detail("Ada speaks before the agent has finished:")
        self._asks(call, "wait")
        interrupted = self._event("SPEECH_INTERRUPTED", call_sid=call.sid)["detail"]
        _expect(interrupted["text"].startswith(interrupted["heard"]), f"to know what was heard of it: “{interrupted['heard']}”")
        self._event("SPEECH_PLAYED", call_sid=call.sid, text=f"You said: {SAID['wait'].words}.")
        _detail(self._stack.invoke("call-state", {})["text"].replace("\n", "\n     "))
        call.press("5")
        self._event("DTMF_RECEIVED", call_sid=call.sid, digit="5")
        self._event("SPEECH_PLAYED", call_sid=call.sid, text="You pressed 5.")
        call.hang_up()
        ended = self._event("VOICE_STREAM_ENDED", call_sid=call.sid)["detail"]
        _detail(f"{ended['duration']:.1f} s, {ended['frames']} frames heard, {ended['gaps']} missing")
        self._event("CALL_ENDED", call_sid=call.sid)
        kept = keep_call(call, [one["detail"] for one in self._bus.events], self._stack.folder)
        _expect(all(path.exists() for path in kept), f"the call in {' and '.join(path.name for path in kept)}")

    def _asks(self, call: PhoneCall, name: str) -> None:
        """Ada says something, and it is understood."""
        _say("Ada", SAID[name].words)
        call.play_sound(caller(name), SAID[name].words, wait=True)
        heard = self._event("SPEECH_RECEIVED", call_sid=call.sid, text=SAID[name].words)
        _expect(heard["detail"]["text"] == SAID[name].words, "her words, word for word")

    def a_document_takes_over(self) -> None:
        call = self._twilio.call_in(ADA)
        _say("Ada hears", call.hears(30))
        call.wait_for_stream(timeout=30)
        self._stack.invoke("control-call", {"call_sid": call.sid, "action": "update", "twiml": GOODBYE})
        heard = call.hears(30)
        _say("Ada hears", heard)
        _expect(heard == "We are closed today. Goodbye.", "the document's words in Ada's ear")
        self._event("CALL_ENDED", call_sid=call.sid)

    def a_call_out(self) -> None:
        made = self._stack.invoke("make-call", {"to": ADA, "say": "Your table is ready."})
        _detail(f"make-call → {made['call_sid']} {made['status']}")
        callee = self._twilio.wait_for_call(ADA, timeout=30)
        heard = callee.hears(30)
        _say("Ada hears", heard)
        _expect(heard == "Your table is ready.", "the words in Ada's ear")
        callee.wait_until_ended(30)
        self._event("CALL_ENDED", call_sid=made["call_sid"])

    def a_call_in_each_mode(self) -> None:
        words = SAID["my_name"].words
        echo = f"You said: {words}."
        usual = self._twilio.voice_url or ""
        for mode, says in MODES.items():
            self._twilio.voice_url = usual.replace("/voice#", f"/voice?mode={mode}#")
            call = self._twilio.call_in(ADA)
            _say("Ada hears", f"{call.hears(30)}   ← mode {mode}")
            self._event("VOICE_STREAM_STARTED", call_sid=call.sid, mode=mode)
            _say("Ada", words)
            says(call, "my_name")
            self._event("SPEECH_RECEIVED", call_sid=call.sid, text=words)
            self._event("SPEECH_PLAYED", call_sid=call.sid, text=echo)
            self._stack.invoke("control-call", {"call_sid": call.sid, "action": "end"})
            self._event("VOICE_STREAM_ENDED", call_sid=call.sid)
        self._twilio.voice_url = usual
        history: Any = self._stack.invoke("conversation-history", {"phone_number": ADA, "limit": 2 * len(MODES)})
        said = [turn["body"] for turn in history["messages"]]
        _expect(said == [words, echo] * len(MODES), "the same exchange in every mode")

    def _event(self, detail_type: str, **detail: Any) -> Any:
        event = self._bus.wait_for(is_event(detail_type, **detail))
        shown = {name: event["detail"][name] for name in SHOWN if name in event["detail"]}
        _detail(f"bus: {_bold(detail_type)} {json.dumps(shown, ensure_ascii=False)}")
        return event


def _expect(as_expected: bool, what: str) -> None:
    if not as_expected:
        raise Surprise(f"Expected {what}.")
    print(f"   {_green('✓')} {what}")


def _say(who: str, words: str) -> None:
    print(f"   {_bold(who)}: {words}")


def _detail(line: str) -> None:
    print(f"     {line}", flush=True)


def _styled(code: int) -> Callable[[str], str]:
    return lambda text: f"\033[{code}m{text}\033[0m" if sys.stdout.isatty() else text


_bold, _red, _green = _styled(1), _styled(31), _styled(32)
