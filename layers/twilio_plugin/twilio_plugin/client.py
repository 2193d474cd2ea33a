"""The phone from Python: `TwilioPlugin` invokes the plugin's functions, from another Lambda or from a laptop.

::

    phone = TwilioPlugin("twilio-plugin")
    phone.send_sms("+15555550142", "Dinner is ready.")

What goes in is checked here by the models that the functions check it with, so a wrong field costs no invocation. What a
function raises is raised here: Lambda's ``errorType`` is the name of a class in `twilio_plugin.errors`.

**Sent once.** A send or a call that has no `idempotency_key` gets one, so that an invocation whose answer was lost can be
repeated. An error has it as `error.idempotency_key`: the same call with the same key sends nothing twice. A key of your own,
say an event's id, holds over restarts as well. `say` and what controls a call have no key: they are repeated only where Lambda
surely did not run them, and raise `FunctionOutcomeUnknown` otherwise.

Nothing of boto3 is imported before the first call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from uuid import uuid4

from pydantic import BaseModel, ValidationError

from twilio_plugin.domain.actions import (
    CallStates,
    ControlAction,
    ControlCall,
    ControlledCall,
    DetectMachine,
    History,
    MadeCall,
    MakeCall,
    RanAction,
    ReadCalls,
    ReadHistory,
    RunAction,
    Said,
    Say,
    SendMms,
    SendResult,
    SendSms,
)
from twilio_plugin.domain.address import Channel
from twilio_plugin.domain.call import VoiceMode
from twilio_plugin.domain.transcription import OtherSpeaker
from twilio_plugin.domain.validation import validated
from twilio_plugin.errors import InvocationFailed, PluginError
from twilio_plugin.invoker import Invoker, function_arns

if TYPE_CHECKING:
    from boto3 import Session

# Seconds for an answer; the functions themselves end after 60.
TIMEOUT = 70.0

Answer = TypeVar("Answer", bound=BaseModel)


class TwilioPlugin:
    """One deployed stack of the plugin. Make one and keep it; threads may share it."""

    def __init__(
        self,
        stack_name: str = "twilio-plugin",
        *,
        session: Session | None = None,
        region: str | None = None,
        endpoint_url: str | None = None,
        timeout: float = TIMEOUT,
        functions: Mapping[str, str] | None = None,
    ) -> None:
        """Nothing is asked of AWS yet: the functions are named like the stack, ``<stack_name>-send-sms``.

        `session` is a boto3 session (its profile, its region), `timeout` the seconds to wait for an answer. `functions` gives
        names or ARNs where they are others, by what follows the stack's name: ``{"send-sms": "arn:…"}``.
        """
        self._invoker = Invoker(
            stack_name, functions=functions, session=session, region=region, endpoint_url=endpoint_url, timeout=timeout
        )

    @classmethod
    def from_stack_outputs(
        cls,
        stack_name: str = "twilio-plugin",
        *,
        session: Session | None = None,
        region: str | None = None,
        endpoint_url: str | None = None,
        timeout: float = TIMEOUT,
    ) -> TwilioPlugin:
        """Look the functions up in the stack's outputs, once; that takes ``cloudformation:DescribeStacks``.

        Raises:
            Misconfigured: there is no such stack, or it may not be read.
        """
        arns = function_arns(stack_name, session=session, region=region, endpoint_url=endpoint_url)
        return cls(stack_name, session=session, region=region, endpoint_url=endpoint_url, timeout=timeout, functions=arns)

    def send_sms(
        self,
        to: str,
        body: str = "",
        *,
        media_url: list[str] | None = None,
        from_: str | None = None,
        messaging_service_sid: str | None = None,
        chunk_limit: int | None = None,
        idempotency_key: str | None = None,
        strip_markdown: bool = False,
        smart_encoded: bool = False,
        content_sid: str | None = None,
        content_variables: dict[str, str] | None = None,
    ) -> SendResult:
        """Send a text; media may come along. Or a content template, without either. The fields are those of `SendSms`."""
        fields = {
            "to": to,
            "body": body,
            "media_url": media_url,
            "from": from_,
            "messaging_service_sid": messaging_service_sid,
            "chunk_limit": chunk_limit,
            "strip_markdown": strip_markdown,
            "smart_encoded": smart_encoded,
            "content_sid": content_sid,
            "content_variables": content_variables,
        }
        return self._once("send-sms", SendSms, SendResult, fields, idempotency_key)

    def send_mms(
        self,
        to: str,
        media_url: list[str],
        *,
        body: str = "",
        from_: str | None = None,
        messaging_service_sid: str | None = None,
        chunk_limit: int | None = None,
        idempotency_key: str | None = None,
        strip_markdown: bool = False,
        smart_encoded: bool = False,
    ) -> SendResult:
        """Send media, with or without words. The fields are those of `SendMms`."""
        fields = {
            "to": to,
            "body": body,
            "media_url": media_url,
            "from": from_,
            "messaging_service_sid": messaging_service_sid,
            "chunk_limit": chunk_limit,
            "strip_markdown": strip_markdown,
            "smart_encoded": smart_encoded,
        }
        return self._once("send-mms", SendMms, SendResult, fields, idempotency_key)

    def make_call(
        self,
        to: str,
        *,
        say: str | None = None,
        twiml: str | None = None,
        url: str | None = None,
        voice_mode: VoiceMode | None = None,
        from_: str | None = None,
        record: bool = False,
        transcribe: bool = False,
        machine_detection: DetectMachine | None = None,
        time_limit: int | None = None,
        idempotency_key: str | None = None,
    ) -> MadeCall:
        """Call a person. They talk to the agent, unless one of `say`, `twiml` and `url` says what they hear."""
        fields = {
            "to": to,
            "say": say,
            "twiml": twiml,
            "url": url,
            "voice_mode": voice_mode,
            "from": from_,
            "record": record,
            "transcribe": transcribe,
            "machine_detection": machine_detection,
            "time_limit": time_limit,
        }
        return self._once("make-call", MakeCall, MadeCall, fields, idempotency_key)

    def say(
        self,
        call_sid: str,
        text: str | None = None,
        *,
        audio: str | None = None,
        interrupt: bool = False,
        allow_barge_in: bool = True,
    ) -> Said:
        """Say something in a call: `text`, or `audio`, which is base64 of µ-law."""
        fields = {
            "call_sid": call_sid,
            "text": text,
            "audio": audio,
            "interrupt": interrupt,
            "allow_barge_in": allow_barge_in,
        }
        return self._invoke("say", Say, Said, fields, repeatable=False)

    def end_call(self, call_sid: str) -> ControlledCall:
        """Hang up."""
        return self._control(call_sid, "end")

    def transfer_call(self, call_sid: str, to: str, *, transcribe: bool = False, record: bool = False) -> ControlledCall:
        """Connect the person to another number; events tell what the two say, or where it was recorded."""
        return self._control(call_sid, "transfer", to=to, transcribe=transcribe, record=record)

    def start_transcription(self, call_sid: str, *, outbound_track: OtherSpeaker | None = None) -> ControlledCall:
        """Have Twilio transcribe a call that the agent does not hear; events tell what is said."""
        return self._control(call_sid, "start_transcription", outbound_track=outbound_track)

    def stop_transcription(self, call_sid: str) -> ControlledCall:
        """End that."""
        return self._control(call_sid, "stop_transcription")

    def record_message(
        self,
        call_sid: str,
        *,
        say: str | None = None,
        max_length: int | None = None,
        then: Literal["hang_up", "listen"] | None = None,
    ) -> ControlledCall:
        """Let the person leave a message after a beep; an event tells where it is."""
        return self._control(call_sid, "record_message", say=say, max_length=max_length, then=then)

    def send_digits(self, call_sid: str, digits: str) -> ControlledCall:
        """Press keys, ``w`` being half a second."""
        return self._control(call_sid, "send_digits", digits=digits)

    def play(self, call_sid: str, url: str, *, loop: int | None = None) -> ControlledCall:
        """Play a sound file that Twilio fetches, `loop` times."""
        return self._control(call_sid, "play", url=url, loop=loop)

    def set_call_language(
        self, call_sid: str, *, tts_language: str | None = None, transcription_language: str | None = None
    ) -> ControlledCall:
        """Have a ``relay`` session speak, or hear, another language."""
        fields = {"tts_language": tts_language, "transcription_language": transcription_language}
        return self._control(call_sid, "set_language", **fields)

    def update_call(
        self, call_sid: str, *, say: str | None = None, twiml: str | None = None, url: str | None = None
    ) -> ControlledCall:
        """Replace what the person hears by one of `say`, `twiml` and `url`."""
        return self._control(call_sid, "update", say=say, twiml=twiml, url=url)

    def hand_off_call(
        self, call_sid: str, *, to: str | None = None, handoff_data: dict[str, Any] | None = None
    ) -> ControlledCall:
        """End the ``relay`` session, for whoever takes over; connect the person to a number, if one is given."""
        return self._control(call_sid, "hand_off", to=to, handoff_data=handoff_data)

    def limit_call(self, call_sid: str, time_limit: int) -> ControlledCall:
        """Have Twilio end the call when it is so many seconds old."""
        return self._control(call_sid, "limit", time_limit=time_limit)

    def conversation_history(
        self,
        phone_number: str,
        *,
        our_number: str | None = None,
        limit: int | None = None,
        channel: Channel | None = None,
        next_token: str | None = None,
    ) -> History:
        """Read a page of a conversation, the newest first to be had, oldest first in it."""
        fields = {
            "phone_number": phone_number,
            "our_number": our_number,
            "limit": limit,
            "channel": channel,
            "next_token": next_token,
        }
        return self._invoke("conversation-history", ReadHistory, History, fields)

    def call_state(self, call_sid: str | None = None) -> CallStates:
        """Read all active calls, or one that is active or over."""
        return self._invoke("call-state", ReadCalls, CallStates, {"call_sid": call_sid})

    def run_action(
        self,
        input: str | Mapping[str, Any],  # noqa: A002  the function's own name for it
        action: str | None = None,
        dry_run: bool = False,
        *,
        idempotency_key: str | None = None,
    ) -> RanAction:
        """Do what a text or an action's fields say, or with `dry_run` only say what that would be."""
        given = input if isinstance(input, str) else dict(input)
        fields = {"input": given, "action": action, "dry_run": dry_run}
        return self._once("run-action", RunAction, RanAction, fields, idempotency_key)

    def _control(self, call_sid: str, action: ControlAction, **fields: Any) -> ControlledCall:
        asked = {"call_sid": call_sid, "action": action, **fields}
        return self._invoke("control-call", ControlCall, ControlledCall, asked, repeatable=False)

    def _once(
        self, function: str, expects: type[BaseModel], answers: type[Answer], fields: Mapping[str, Any], key: str | None
    ) -> Answer:
        key = str(uuid4()) if key is None else key
        try:
            return self._invoke(function, expects, answers, {**fields, "idempotency_key": key})
        except PluginError as error:
            error.idempotency_key = key
            raise

    def _invoke(
        self,
        function: str,
        expects: type[BaseModel],
        answers: type[Answer],
        fields: Mapping[str, Any],
        *,
        repeatable: bool = True,
    ) -> Answer:
        request = validated(expects, {name: value for name, value in fields.items() if value is not None})
        # Without what is as always: a stack that is older than this client does not know every field.
        payload = request.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        answer = self._invoker.invoke(function, payload, repeatable=repeatable)
        try:
            return answers.model_validate(answer)
        except ValidationError as error:
            wrong = ", ".join(sorted({".".join(map(str, one["loc"])) or "all of it" for one in error.errors()}))
            raise InvocationFailed(
                f"{function} has done it, and its answer cannot be read ({wrong}): is the stack of another version?"
            ) from None
