"""What limits a thousand texts a second and a thousand calls at once: by calculation, and by a small simulation.

Nothing is measured here: quotas are AWS's and Twilio's defaults for one account and region, demands are the counts that the
other measurements take (docs/costs.md). ``python -m tests.bench.scaling`` prints the tables of docs/scaling.md.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.bench.report import Row, Table

# What one exchange takes: a text in, its reply, and the two status callbacks of that.
HTTP_REQUESTS = 3
EVENTS = 4
SECONDS_OF_LAMBDA = 0.4  # two webhooks' 25 ms, the reply's 300, the relay; without the agent
CONVERSATION_WRITES = 20  # write units of the table Conversations
INDEX_WRITES = 2  # of the one key under which unsettled sends are found
# What one streamed call takes a second, or of it.
FRAMES = 50
MESSAGES = 51  # with what goes out, and the marks
TURN_SECONDS, TURNS_A_MINUTE = 3.0, 6
# One reader of the outbox's stream: a hundred events, ten requests to the bus and four to the table.
RELAY_BATCH, RELAY_SECONDS, RELAY_READERS = 100, 0.25, 4


@dataclass(frozen=True, slots=True)
class Limit:
    """A quota, and what one exchange or one call takes of it."""

    name: str
    quota: float
    unit: str
    demand: float
    beyond: str
    """What people notice, and how to go past it."""

    @property
    def binds_at(self) -> float:
        return self.quota / self.demand


TEXTS = (
    Limit(
        "Twilio, one long code",
        1,
        "segments/s",
        1,
        "replies wait in Twilio's queue, up to 10 hours. A Messaging Service with more numbers, or a short code (100/s)",
    ),
    Limit(
        "Lambda, a new account",
        10,
        "at once",
        SECONDS_OF_LAMBDA,
        "webhooks get 500s and Twilio repeats them. Ask for 1,000 before you go live",
    ),
    Limit(
        "a new table Conversations",
        4_000,
        "write units/s",
        CONVERSATION_WRITES,
        "writes are refused for minutes, and repeated. Warm throughput, or a rise over half an hour",
    ),
    Limit(
        "the stage of the webhooks",
        1_000,
        "requests/s",
        HTTP_REQUESTS,
        "429. Raise ThrottlingRateLimit of HttpStage; it protects the account's other APIs",
    ),
    Limit(
        "one shard of the outbox's stream",
        RELAY_READERS * RELAY_BATCH / RELAY_SECONDS,
        "events/s",
        EVENTS,
        "events come late, none is lost. The table splits by itself; ParallelizationFactor up to 10",
    ),
    Limit(
        "unsettled sends, one key",
        1_000,
        "writes/s",
        INDEX_WRITES,
        "sends are refused and repeated. Several stacks, a number each",
    ),
    Limit(
        "a ceiling of the day, one counter",
        1_000,
        "writes/s",
        1,
        "sends are refused and repeated. TextsPerDay and SegmentsPerDay of 0 write nothing",
    ),
    Limit("Conversations, quota of a table", 40_000, "write units/s", CONVERSATION_WRITES, "writes are refused. AWS raises it"),
    Limit(
        "Lambda, an account", 1_000, "at once", SECONDS_OF_LAMBDA, "webhooks get 500s and Twilio repeats them. AWS raises it"
    ),
    Limit("API Gateway, an account", 10_000, "requests/s", HTTP_REQUESTS, "429. AWS raises it"),
)
CALLS = (
    Limit(
        "Lambda, a new account", 10, "at once", 1.05, "callers hear the greeting, then nobody. Ask for more before you go live"
    ),
    Limit("a new table MediaFrames", 4_000, "frames/s", FRAMES, "audio is lost for minutes. Warm throughput, or a slow start"),
    Limit(
        "Transcribe's streams",
        25,
        "at once",
        TURN_SECONDS * TURNS_A_MINUTE / 60,
        "a turn is tried again, then lost. AWS raises it",
    ),
    Limit(
        "the stage of the sockets",
        7_000,
        "messages/s",
        FRAMES,
        "audio is lost, sockets are closed. VoiceMode=relay; or a stack in another account or region",
    ),
    Limit("API Gateway, an account", 10_000, "requests/s", MESSAGES, "as above, and webhooks fail too. AWS raises it"),
    Limit("MediaFrames, quota of a table", 40_000, "frames/s", FRAMES, "audio is lost. AWS raises it"),
    Limit("Lambda, an account", 1_000, "at once", 1.05, "the next callers hear the greeting, then nobody. AWS raises it"),
)


def limits(kind: str) -> Table:
    """The limits in the order in which they bind. `kind` is ``texts`` or ``calls``."""
    known, load = {"texts": (TEXTS, "exchanges_a_second"), "calls": (CALLS, "calls_at_once")}[kind]
    rows = [
        Row(
            limit.name,
            {
                "quota": f"{limit.quota:,g} {limit.unit}",
                "takes": f"{limit.demand:g}",
                load: int(limit.binds_at),
                "then": limit.beyond,
            },
        )
        for limit in sorted(known, key=lambda one: one.binds_at)
    ]
    method = (
        "By calculation from default quotas and measured counts. An exchange: a text in, its reply, that one's two callbacks."
    )
    return Table(f"what limits {kind}", method, rows)


@dataclass(frozen=True, slots=True)
class Account:
    """The quotas that a simulation runs against."""

    name: str
    stage_rate: float
    stage_burst: float
    concurrency: float
    writes: float
    """Write units a second of the table."""
    shards: int
    senders: float
    """Segments that Twilio sends a second."""
    transcriptions: int = 25
    socket_rate: float = 7_000


NEW = Account("new account, one long code", 1_000, 500, 10, 4_000, 1, 1)
GROWN = Account("default quotas, grown tables, one short code", 1_000, 500, 1_000, 40_000, 8, 100)
RAISED = Account("raised quotas, ten short codes", 10_000, 5_000, 3_000, 120_000, 16, 1_000, 500, 60_000)


def texts(account: Account, *, rate: int = 1_000, seconds: int = 60, seed: int = 1) -> dict[str, Any]:
    """A wave of texts, each of which is answered, in steps of a tenth of a second.

    A text that finds no place is offered again by Twilio, twice, a second later; then it is refused for good.
    """
    chance = random.Random(seed)
    tokens = account.stage_burst
    again: dict[int, list[tuple[int, int]]] = {}
    offered = refused = stored = 0
    events = replies = 0.0
    longest_events = 0.0
    for step in range(seconds * 10):
        coming = [(1, _arrivals(chance, rate / 10)), *again.pop(step, [])]
        tokens = min(account.stage_burst, tokens + account.stage_rate / 10)
        places = min(account.concurrency / SECONDS_OF_LAMBDA, account.writes / CONVERSATION_WRITES) / 10
        for attempt, number in coming:
            offered += number if attempt == 1 else 0
            taken = int(min(number, tokens, places))
            tokens, places, stored = tokens - taken, places - taken, stored + taken
            left = number - taken
            if left and attempt < 3:
                again.setdefault(step + 10, []).append((attempt + 1, left))
            else:
                refused += left
            events, replies = events + taken * EVENTS, replies + taken
        events = max(0.0, events - account.shards * RELAY_READERS * RELAY_BATCH / RELAY_SECONDS / 10)
        sent = min(replies, account.senders / 10)
        replies, tokens = replies - sent, max(0.0, tokens - 2 * sent)  # Twilio tells twice of each
        longest_events = max(longest_events, events)
    waiting = sum(number for offers in again.values() for _, number in offers)
    per_second = account.shards * RELAY_READERS * RELAY_BATCH / RELAY_SECONDS
    return {
        "texts": offered,
        "answered_for_percent": 100 * stored / offered,
        "refused_percent": 100 * (refused + waiting) / offered,
        "events_late_s": longest_events / per_second,
        "last_reply_after_s": replies / account.senders,
    }


def calls(account: Account, *, at_once: int = 1_000, minutes: int = 2, seed: int = 1) -> dict[str, Any]:
    """So many streamed calls at once, second by second: who is listened to, and what of it is heard."""
    chance = random.Random(seed)
    listened = int(min(at_once, account.concurrency / 1.05))
    frames = min(1.0, account.socket_rate / (at_once * FRAMES), account.writes / (at_once * FRAMES))
    speaking: list[float] = []
    turns = lost = 0
    for second in range(minutes * 60):
        speaking = [until for until in speaking if until > second]
        for _ in range(_arrivals(chance, listened * TURNS_A_MINUTE / 60)):
            turns += 1
            if len(speaking) >= account.transcriptions:
                lost += 1
            else:
                speaking.append(second + chance.expovariate(1 / TURN_SECONDS))
    return {
        "calls": at_once,
        "listened_to_percent": 100 * listened / at_once,
        "audio_stored_percent": 100 * frames,
        "turns_without_a_transcriber_percent": 100 * lost / turns,
    }


def simulation(kind: str) -> Table:
    """A thousand of them, in three accounts."""
    method = {
        "texts": "Simulated: 1,000 texts a second for a minute, a segment in reply to each; Twilio offers twice more.",
        "calls": "Simulated: 1,000 streamed calls at once for two minutes, six turns a minute of three seconds each.",
    }[kind]
    rows = [Row(one.name, texts(one) if kind == "texts" else calls(one)) for one in (NEW, GROWN, RAISED)]
    return Table(f"a thousand {kind}", method, rows)


def measure(_bench: Any) -> list[Table]:
    """All four tables."""
    return [limits("texts"), simulation("texts"), limits("calls"), simulation("calls")]


def as_markdown(table: Table) -> str:
    """The table as the doc has it."""
    columns = list(dict.fromkeys(name for row in table.rows for name in row.values))
    heads = " | ".join(["", *(name.replace("_", " ").replace(" percent", ", %") for name in columns)])
    rows = [" | ".join([row.what, *(_cell(row.values[name]) for name in columns)]) for row in table.rows]
    return "\n".join([f"|{heads} |", "|---" * (len(columns) + 1) + "|", *(f"| {row} |" for row in rows)])


def _cell(value: Any) -> str:
    return (
        f"{value:,.0f}"
        if isinstance(value, float) and value >= 10
        else f"{value:.1f}"
        if isinstance(value, float)
        else f"{value:,}"
        if isinstance(value, int)
        else str(value)
    )


def _arrivals(chance: random.Random, mean: float) -> int:
    """Of a Poisson process, by the normal distribution where there are many."""
    if mean > 30:
        return max(0, round(chance.gauss(mean, mean**0.5)))
    return sum(1 for _ in _gaps(chance, mean))


def _gaps(chance: random.Random, mean: float) -> Iterator[float]:
    at = chance.expovariate(1)
    while at < mean:
        yield at
        at += chance.expovariate(1)


if __name__ == "__main__":
    for table in measure(None):
        print(f"\n### {table.title}\n\n{as_markdown(table)}")
