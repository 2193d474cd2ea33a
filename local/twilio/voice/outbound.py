"""A call that the REST API asked for, from queued to its end.

Answering machine detection: https://www.twilio.com/docs/voice/answering-machine-detection. Twilio fetches the TwiML when it is
done, with its result, or, asynchronously, at once, and tells the result a URL of its own.
"""

from collections.abc import Callable

from .call import Call
from .creation import NewCall
from .line import HangUp, Line, Source
from .phones import Answers, Behaviour
from .recordings import Recording
from .requests import call_fields
from .ringing import ring
from .script import follow
from .session import Network, Session

DETECTION_SECONDS = 3.0  # of the call
_AT_START = {"machine_end_beep": "machine_start", "machine_end_silence": "machine_start", "machine_end_other": "machine_start"}
_AT_END = {"machine_start": "machine_end_beep"}


async def run(asked: NewCall, session: Session, behaviour: Behaviour, advance: Callable[[str, str], None]) -> HangUp:
    """Returns how the call ends."""
    line, network = session.line, session.network
    session.time_limit = float(asked.time_limit)
    if asked.fallback_url:
        line.fallback = Source(asked.fallback_url, asked.fallback_method)
    if ending := await ring(line, behaviour, float(asked.timeout), advance):
        return ending
    assert isinstance(behaviour, Answers)
    if behaviour.script is not None:
        network.start(follow(line, behaviour.script))
    if asked.send_digits:
        await line.speak(f"[play digits {asked.send_digits}]", len(asked.send_digits) * 0.5)
    fields: dict[str, str] = {}
    if asked.machine_detection and asked.async_amd:
        network.start(_tell_later(asked, line, network, behaviour))
    elif asked.machine_detection:
        if order := await line.order_within(DETECTION_SECONDS):
            return order if isinstance(order, HangUp) else await session.run(order)
        fields["AnsweredBy"] = line.call.answered_by = _found(asked, behaviour)
    return await session.run(Source(asked.url or "", asked.method, fields, asked.twiml))


def recording_of(asked: NewCall, call: Call, base_url: str) -> Recording | None:
    """The recording of an answered call that was to be recorded, and has ended."""
    if not asked.record or not call.duration:
        return None
    return Recording(call, "OutboundAPI", base_url, call.duration, began=call.start_time or call.date_created)


async def _tell_later(asked: NewCall, line: Line, network: Network, behaviour: Answers) -> None:
    await line.clock.sleep(DETECTION_SECONDS)
    line.call.answered_by = _found(asked, behaviour)
    if asked.async_amd_status_callback is None:
        return
    fields = call_fields(line.call)
    about = {"AnsweredBy": line.call.answered_by, "MachineDetectionDuration": str(int(DETECTION_SECONDS * 1000))}
    sids = {name: fields[name] for name in ("CallSid", "AccountSid")}
    await network.request("amd", asked.async_amd_status_callback, sids | about, asked.async_amd_status_callback_method)


def _found(asked: NewCall, behaviour: Answers) -> str:
    """``Enable`` tells of a machine as soon as it speaks, ``DetectMessageEnd`` when it has spoken."""
    names = _AT_END if asked.machine_detection == "DetectMessageEnd" else _AT_START
    return names.get(behaviour.answered_by, behaviour.answered_by)
