"""Calls to the deployed local stack, in real time: how long a person, and an agent, wait for each other."""

from __future__ import annotations

import base64
import json
import os
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from local.callers import STORY, caller
from local.stack import InvocationFailed
from local.twilio.voice.handset import CallEnded, PhoneCall
from local.twilio.voice.media.record import Entry, StreamRecord
from local_speech.flite import speak
from tests.bench.report import Row, Table, Target
from tests.bench.stage import Stage
from tests.bench.workbench import Workbench

ALONE, PAIRS, KILLS = 6, 3, 3
ENDPOINT_MS = 700  # the template's default
ONSET_MS = 120  # of voice, before anybody can tell that it is one
TURN = "opening_hours"
SAYS = 2
SOUND = 4000  # bytes, half a second
WORDS = "We are open from nine to five."
PATIENCE_S = 30.0
TARGETS_MS = {"heard": 300, "said": 200, "hushed": 300, "replaced": 3000}
RULE = "bench-calls"

Samples = dict[str, list[float]]


def measure(bench: Workbench) -> list[Table]:
    """Medians and worst of what a call's delays are, alone and two at once, and of a session's replacement."""
    stage = bench.stage
    bus = _Bus(stage)
    bench.say("Warming up: a call, and two at once")
    _warm_up(stage)
    bench.say(f"{ALONE} calls, one after another")
    since = _processor()
    alone = _joined([_call(stage, bus) for _ in range(ALONE)])
    alone["busy"] = [_busy_since(since)]
    bench.say(f"{PAIRS} times two calls at once")
    since = _processor()
    with ThreadPoolExecutor(2) as two:
        paired = _joined([one for _ in range(PAIRS) for one in two.map(lambda _: _call(stage, bus), range(2))])
    paired["busy"] = [_busy_since(since)]
    bench.say(f"Killing {KILLS} sessions")
    replaced = {"replaced": list(_replacements(stage))}
    return [_delays(alone, paired), _beside(alone, paired), _busy(alone, paired), _deaths(replaced), _messages(alone)]


def _delays(alone: Samples, paired: Samples) -> Table:
    whats = {
        "heard": "SPEECH_RECEIVED after the last sound",
        "heard_by_session": "the same after the last voiced 20 ms",
        "said": "first sound after say",
        "hushed": "clear after 120 ms of voice",
    }
    rows = [
        _row(f"{what}, {how}", samples[name], TARGETS_MS.get(name))
        for how, samples in (("one call", alone), ("two at once", paired))
        for name, what in whats.items()
    ]
    method = (
        "In real time on the local stack, which shares the processor with the people on the phone, the engine that hears, and "
        "whatever else runs here. What was said: from the last frame that was no silence to the event's arrival in a queue "
        f"behind the bus, minus {ENDPOINT_MS} ms of endpointing and the time the engine took; and the same from where the "
        "session places the last of the voice. What the agent says: from the invocation, with sound instead of words (no "
        f"synthesizer), to the first message on the phone. Interrupting: from {ONSET_MS} ms behind the first frame that was no "
        "silence to `clear` on the phone. Targets are for the medians; where the processor is busy all the time (the next "
        "table), they say more of this machine than of the plugin."
    )
    return Table("Delays in a call", method, rows)


def _beside(alone: Samples, paired: Samples) -> Table:
    whats = {
        "engine": "pocketsphinx: words after the end of a turn",
        "looked": "the local engine: one look at the call's frames",
        "behind": "the local engine: frames on their way to the table",
        "said_words": "first sound after say, with words",
        "synthesized": "flite: the same words, by themselves",
    }
    rows = [
        _row(f"{what}, {how}", samples[name], None)
        for how, samples in (("one call", alone), ("two at once", paired))
        for name, what in whats.items()
    ]
    method = (
        "What is not the plugin's, or not counted above. The local engine looks through all frames of a call for each query; "
        "the session makes ten a second. Frames on their way are those that have left the phone after it was told to be quiet: "
        "the local engine puts one after another into the table, and falls behind where the processor has no time for it."
    )
    return Table("Beside them", method, rows)


def _busy(alone: Samples, paired: Samples) -> Table:
    rows = [
        Row(how, {"busy_percent": samples["busy"][0] * 100, "cores": os.cpu_count()})
        for how, samples in (("one call", alone), ("two at once", paired))
    ]
    return Table("The processor meanwhile", "All cores, whoever kept them busy: the mean over the calls.", rows)


def _deaths(samples: Samples) -> Table:
    method = (
        "From kill -9 of the process that runs a session until its successor has taken the stream, a new process with its "
        "imports and pocketsphinx's model. How soon Lambda itself notices a death is not in it."
    )
    return Table("A session dies", method, [_row("the next one is there", samples["replaced"], TARGETS_MS["replaced"])])


def _messages(samples: Samples) -> Table:
    rows = [
        Row("to us", {"per_second": median(samples["in_per_second"])}),
        Row("to the phone, for a second of sound", {"per_second": median(samples["out_per_second"])}),
    ]
    return Table("Messages on the socket", "As the phone's side counted them: audio in, and audio and marks out.", rows)


def _row(what: str, seconds: list[float], target_ms: float | None) -> Row:
    figures = {"samples": len(seconds), "median_ms": median(seconds) * 1000, "worst_ms": max(seconds) * 1000}
    return Row(what, figures, Target("median_ms", "≤", target_ms) if target_ms else None)


def _joined(calls: list[Samples]) -> Samples:
    joined: Samples = defaultdict(list)
    for call in calls:
        for name, seconds in call.items():
            joined[name] += seconds
    return joined


def _warm_up(stage: Stage) -> None:
    """Every function runs, and twice at once: a cold one starts a worker for each message that waits for it."""
    _warm_call(stage)
    with ThreadPoolExecutor(2) as two:
        list(two.map(lambda _: _warm_call(stage), range(2)))


def _warm_call(stage: Stage) -> None:
    call = stage.phone.call_in(stage.person())
    try:
        call.wait_for_stream(timeout=PATIENCE_S)
        _wait_for_session(stage, call)
        _say(stage, call, text=WORDS)
        call.wait_until_quiet(200, PATIENCE_S)
    finally:
        call.hang_up()
        call.wait_until_ended(PATIENCE_S)


def _call(stage: Stage, bus: _Bus) -> Samples:
    """One call, from greeting to hanging up; a short one, because the local engine's looks take longer as it goes on.

    Raises:
        RuntimeError: it did not go as it should; with its transcript.
    """
    samples: Samples = defaultdict(list)
    call = stage.phone.call_in(stage.person())
    try:
        call.wait_for_stream(timeout=PATIENCE_S)
        _wait_for_session(stage, call)
        call.play_sound(caller(TURN), wait=True)
        heard = bus.heard(call.sid)
        _note_heard(samples, call.stream, heard)
        samples["looked"] += _looks(stage, call)
        for _ in range(SAYS):
            samples["said"].append(_say(stage, call, audio=_sound(SOUND)))
            call.wait_until_quiet(200, PATIENCE_S)
        _say(stage, call, audio=_sound(8 * 8000))
        samples["hushed"].append(_interrupt(call))
        samples["behind"].append(_behind(stage, call))
        samples["said_words"].append(_say(stage, call, text=WORDS))
        samples["synthesized"].append(_timed_synthesis())
        _note_messages(samples, call.stream)
    except (CallEnded, TimeoutError, InvocationFailed, LookupError) as failure:
        raise RuntimeError(f"A call went wrong: {type(failure).__name__}: {failure}\n{call.transcript}") from failure
    finally:
        call.hang_up()
        call.wait_until_ended(PATIENCE_S)
    return samples


def _note_heard(samples: Samples, stream: StreamRecord, event: tuple[float, Any]) -> None:
    at, detail = event
    said, began = stream.utterances[-1], _began(stream)
    engine = float(detail["confidence"])
    after_voice = (detail["starts_at_ms"] + detail["duration_ms"]) / 1000
    samples["engine"].append(engine)
    samples["heard"].append(at - began - (said.ended or 0.0) - ENDPOINT_MS / 1000 - engine)
    samples["heard_by_session"].append(at - began - after_voice - ENDPOINT_MS / 1000 - engine)


def _say(stage: Stage, call: PhoneCall, **what: Any) -> float:
    """Seconds until the first of it is on the phone."""
    began = _began(call.stream)
    invoked = time.monotonic()
    stage.invoke("say", {"call_sid": call.sid, **what})
    first = _first(call, "media", invoked - began)
    return began + first.at - invoked


def _interrupt(call: PhoneCall) -> float:
    """Seconds from when it could be noticed until the phone is told to be quiet."""
    before = call.stream.now
    call.wait_for_audio(0.5, PATIENCE_S, after=before)
    call.play_sound(caller("wait"), wait=True)
    cleared = _first(call, "clear", before)
    said = call.stream.utterances[-1]
    if said.began is None:
        raise LookupError("the person said nothing")
    return cleared.at - said.began - ONSET_MS / 1000


def _first(call: PhoneCall, event: str, after: float) -> Entry:
    """The first such message to the phone after a time of the stream; what was sent may still be under way."""
    deadline = time.monotonic() + PATIENCE_S
    while (found := call.stream.first(event, after=after)) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {event} came")
        time.sleep(0.02)
    return found


def _note_messages(samples: Samples, stream: StreamRecord) -> None:
    sent = [entry for entry in stream.log if (entry.way, entry.event) == ("sent", "media")]
    received = [entry for entry in stream.log if entry.way == "received" and entry.event in ("media", "mark")]
    samples["in_per_second"].append((len(sent) - 1) / (sent[-1].at - sent[0].at))
    samples["out_per_second"].append(len(received) / (sum(entry.audio_bytes for entry in received) / 8000))


def _looks(stage: Stage, call: PhoneCall) -> list[float]:
    """Seconds of a few queries as the session makes them."""
    connection = stage.stream(call.sid)["connection_id"]
    taken = []
    for _ in range(5):
        started = time.monotonic()
        stage.database.query(
            TableName=stage.output("MediaFramesTableName"),
            KeyConditionExpression="connection_id = :connection AND sequence_number > :cursor",
            ExpressionAttributeValues={":connection": {"S": connection}, ":cursor": {"N": str(int(call.stream.now * 50))}},
            ConsistentRead=True,
        )
        taken.append(time.monotonic() - started)
    return taken


def _behind(stage: Stage, call: PhoneCall) -> float:
    """Seconds of the person's voice that have left the phone and are not in the table yet."""
    connection = stage.stream(call.sid)["connection_id"]
    sent = sum((entry.way, entry.event) == ("sent", "media") for entry in call.stream.log)
    newest = stage.database.query(
        TableName=stage.output("MediaFramesTableName"),
        KeyConditionExpression="connection_id = :connection",
        ExpressionAttributeValues={":connection": {"S": connection}},
        ConsistentRead=True,
        ScanIndexForward=False,
        Limit=1,
    )["Items"]
    return (sent - int(newest[0]["chunk"]["N"])) * 0.02 if newest else 0.0


def _replacements(stage: Stage) -> Iterator[float]:
    """Seconds without a session, for several deaths in one call."""
    call = stage.phone.call_in(stage.person())
    try:
        call.wait_for_stream(timeout=PATIENCE_S)
        for _ in range(KILLS):
            died = _wait_for_session(stage, call)
            time.sleep(1.0)
            killed = time.monotonic()
            if not _kill_sessions():
                raise RuntimeError("No process runs a session.")
            _wait_for_session(stage, call, not_=died)
            yield time.monotonic() - killed
    finally:
        call.hang_up()
        call.wait_until_ended(PATIENCE_S)


def _wait_for_session(stage: Stage, call: PhoneCall, not_: str = "") -> str:
    """The id of the session that listens, once one does that is another one."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if (kept := stage.find_stream(call.sid)) and kept.get("session_state") == "running" and kept["session_id"] != not_:
            return str(kept["session_id"])
        time.sleep(0.02)
    raise RuntimeError(f"Nobody listens to {call.sid} after {PATIENCE_S:.0f} s.")


def _kill_sessions() -> int:
    """End the processes below this one that run sessions, as a host that fails would; how many."""
    killed = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            is_session = b"AWS_LAMBDA_FUNCTION_NAME=twilio-plugin-call-session" in (process / "environ").read_bytes()
        except OSError:
            continue
        if is_session and os.getpid() in _ancestors(int(process.name)):
            os.kill(int(process.name), signal.SIGKILL)
            killed += 1
    return killed


def _ancestors(process: int) -> Iterator[int]:
    """Parent, its parent, and so on."""
    while process > 1:
        try:
            status = Path(f"/proc/{process}/stat").read_text()
        except OSError:
            return
        process = int(status.rpartition(")")[2].split()[1])
        yield process


def _began(stream: StreamRecord) -> float:
    """On the monotonic clock."""
    if stream.began_at is None:
        raise LookupError("the stream has not begun")
    return stream.began_at


def _processor() -> tuple[int, int]:
    """Ticks that all cores were busy, and all ticks. Source: proc_stat(5)."""
    ticks = [int(one) for one in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def _busy_since(then: tuple[int, int]) -> float:
    busy, whole = (now - before for now, before in zip(_processor(), then, strict=True))
    return busy / max(whole, 1)


def _sound(length: int) -> str:
    return base64.b64encode(caller(STORY)[:length]).decode()


def _timed_synthesis() -> float:
    started = time.monotonic()
    speak(WORDS, "rms")
    return time.monotonic() - started


class _Bus:
    """What people were heard to say, by call, with when it was on the bus: when the queue behind a rule got it."""

    def __init__(self, stage: Stage) -> None:
        self._sqs = stage.client("sqs")
        self._found: dict[str, list[tuple[float, Any]]] = defaultdict(list)
        self._url = self._sqs.create_queue(QueueName=RULE)["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        bus, events = stage.output("EventBusName"), stage.client("events")
        events.put_rule(Name=RULE, EventBusName=bus, EventPattern=json.dumps({"detail-type": ["SPEECH_RECEIVED"]}))
        events.put_targets(Rule=RULE, EventBusName=bus, Targets=[{"Id": RULE, "Arn": arn}])

    def heard(self, call_sid: str) -> tuple[float, Any]:
        """The call's first turn: when (on the monotonic clock), and the event's detail.

        Raises:
            TimeoutError: it was not announced.
        """
        deadline = time.monotonic() + PATIENCE_S
        while not self._found[call_sid]:
            if time.monotonic() > deadline:
                raise TimeoutError("what was said was not announced")
            self._receive()
        return self._found[call_sid][0]

    def _receive(self) -> None:
        # The queue's own time, so that it does not matter when it is asked.
        offset = time.time() - time.monotonic()
        answer = self._sqs.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=1, MessageSystemAttributeNames=["SentTimestamp"]
        )
        for message in answer.get("Messages", ()):
            detail = json.loads(message["Body"])["detail"]
            at = int(message["Attributes"]["SentTimestamp"]) / 1000 - offset
            self._found[detail["call_sid"]].append((at, detail))
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
