"""What listening to a call costs a session: CPU and memory, without the engine that makes words of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.report import Row, Table, Target
from tests.bench.spoken import audio, frames, waiting_stream
from tests.bench.workbench import Workbench

SECONDS = 20  # the local engine looks through all frames of a call for each query
WARM_UP = 20  # looks, two seconds: what the first requests of a process cost is not what a call costs
LOOKS_A_SECOND = 10
FRAMES_A_LOOK = 5
ROUNDS = 3
MB = 1_000_000  # bytes
TARGET_PERCENT = 5.0  # of one core
TARGET_MB = 256
IMMEDIATE = "engines:Immediate"


def measure(bench: Workbench) -> list[Table]:
    """CPU by parts, calls a core, peak memory."""
    bench.stage.stop_relay()
    bench.say(f"Hearing {SECONDS} s of a call, {ROUNDS} times each: as fast as it goes, without and with the tables")
    hearing = [_heard(bench, looks="paced", clock="fast", storage="none") for _ in range(ROUNDS)]
    whole = [_heard(bench, looks="paced", clock="fast", storage="real") for _ in range(ROUNDS)]
    bench.say("Hearing it in real time")
    real = _heard(bench, looks="paced", clock="real", storage="real")
    bench.say("Hearing it for the memory of a session")
    stored = _heard(bench, looks="full", clock="real", storage="real")
    by_transcribe = _heard(bench, transcriber="", turns=False, looks="full", clock="real", storage="real")
    return [_cpu(hearing, whole, real), _memory(stored, by_transcribe)]


def _cpu(hearing: list[Mapping[str, Any]], whole: list[Mapping[str, Any]], real: Mapping[str, Any]) -> Table:
    heard, both = (median(map(_look_s, several)) for several in (hearing, whole))
    target = Target("percent_of_a_core", "≤", TARGET_PERCENT)
    rows = [
        _row("decoding, voice activity, turns", heard),
        _row("DynamoDB: reading, saving", both - heard),
        _row("both", both, target),
        _row("both, in real time", _look_s(real), target),
    ]
    method = (
        f"CPU of a process that runs call_session over {SECONDS} s of a stored call with two turns and a line that hisses, at "
        f"{FRAMES_A_LOOK} frames a look and {LOOKS_A_SECOND} looks a second, after {WARM_UP} looks to warm up; the median of "
        f"{ROUNDS} rounds. Its clock is moved by whoever sleeps, so that it does not wait; only in the last row it does: "
        "a processor that dozes between the looks is slower when it wakes. The engine that makes words is one that does "
        "nothing. DynamoDB's part is its client's (signing, JSON, a socket to the local engine), without TLS. Calls a core are "
        "what 100 % divides into; a Lambda of 1,769 MB has one core, one of 1,024 MB 58 % of it."
    )
    return Table("CPU of a call session", method, rows)


def _look_s(done: Mapping[str, Any]) -> float:
    """CPU seconds of a look, warm."""
    looks = done["looks_cpu_s"]
    return float(looks[-1] - looks[WARM_UP]) / (len(looks) - 1 - WARM_UP)


def _row(what: str, look_s: float, target: Target | None = None) -> Row:
    share = look_s * LOOKS_A_SECOND
    figures = {
        "us_per_frame": look_s / FRAMES_A_LOOK * 1e6,
        "ms_per_call_second": share * 1000,
        "percent_of_a_core": share * 100,
        "calls_a_core": 1 / share if share > 0 else None,
    }
    return Row(what, figures, target)


def _memory(stored: Mapping[str, Any], by_transcribe: Mapping[str, Any]) -> Table:
    target = Target("peak_mb", "≤", TARGET_MB)
    rows = [
        Row(what, {"imported_mb": done["imported_bytes"] / MB, "peak_mb": done["peak_bytes"] / MB}, target)
        for what, done in (("with an engine that does nothing", stored), ("with Transcribe's client, idle", by_transcribe))
    ]
    method = (
        f"The most resident memory, in MB of 1,000,000 bytes, of a process that imported the handler and heard {SECONDS} s, "
        "reading the longest pages it ever reads. In the second row nobody speaks: no turn is sent to Transcribe."
    )
    return Table("Peak memory of a call session", method, rows)


def _heard(bench: Workbench, *, transcriber: str = IMMEDIATE, turns: bool = True, **how: str) -> Mapping[str, Any]:
    """What `session` says of hearing a call in this way."""
    waiting = waiting_stream(bench.stage, frames(audio(SECONDS, turns=turns)))
    job = {"path": bench.layout.path("call_session"), "payload": waiting.payload, **how}
    own = {"TRANSCRIBER": transcriber or "twilio_plugin.adapters.transcribe:TranscribeStreaming"}
    script = str(Path(__file__).with_name("session.py"))
    environment = bench.stage.environment("call_session") | own
    done: dict[str, Any] = json.loads(bench.layout.run([script], environment, given=json.dumps(job)).output)
    stream = bench.stage.stream(waiting.call_sid)
    if how["storage"] == "real" and (stream["frames"], stream.get("end")) != (waiting.frames, "stopped"):
        raise RuntimeError(f"The session heard {stream['frames']} of {waiting.frames} frames.")
    return done
