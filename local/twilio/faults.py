"""What can go wrong between Twilio and us, on demand.

Each fault belongs to one moment of a request; at each moment the first matching fault that was added is used up by one, so
faults of one moment follow one another, and faults of different moments combine.

============  ==================  ====================================================================================
moment        kind                what happens
============  ==================  ====================================================================================
request       slow                done at once, answered after ``seconds`` (1)
request       hang                nothing is done, and the connection closed without an answer after ``seconds`` (60)
request       drop_before         the connection is closed, nothing was recorded
request       status              answered with ``status`` (500), nothing was recorded; 429 comes with code 20429
request       reject              refused with Twilio's ``code``; ``status`` only where the code's own is not meant
answer        drop_after          recorded and delivered, the connection is closed without an answer
answer        late_response       the answer comes after all status callbacks
delivery      undelivered         accepted, then ``status`` (undelivered, or failed) with ``error_code`` (30003)
callbacks     duplicate_status    each status callback ``times`` (2) at once
callbacks     shuffle_status      a message's callbacks all at the end, one after another, never in their order; ``seed``
inbound       duplicate_webhook   the webhook of an inbound text ``times`` (2) at once, with the same idempotency token
media         media_not_ready     an attachment of an inbound text is 404, so far
media         media_redirect      it redirects to another ``url``
media         media_length        its Content-Length says so many ``bytes``
media         media_endless       it does not end
stream        shuffle_frames      each frame up to ``window_ms`` (200) late, so that they overtake one another; ``seed``
stream        duplicate_frames    a ``fraction`` (0.1) of the frames twice; ``seed``
stream        lose_frames         a ``fraction`` (0.1) of the frames never; ``seed``
stream        stop_frames         no frames ``after`` (1) seconds of the stream, while the socket stays
stream        lose_stop           no stop message; the ``socket`` is (closed), or left open for 30 seconds
socket        drop_socket         the connection breaks ``after`` (1) seconds, without a close frame
socket        forge_handshake     the handshake has a signature that is not Twilio's
socket        alter_start         the start (of a relay: setup) has another ``call_sid``, or another ``value`` of a
                                  ``parameter`` (or none)
socket        garbage             the raw ``text``, ``after`` (0) seconds
relay         drop_in_reply       the connection breaks ``after`` (1) seconds of our first reply, without a close frame
relay         idle_socket         it breaks after so many seconds (``after``, 600) without a message, as API Gateway's does
relay         swap_prompts        the next prompt arrives behind the one that follows it
relay         join_prompts        the next prompt arrives together with the one that follows it
relay         repeat_message      the next message of the ``type`` (prompt) twice
relay         lose_info           no info messages, whatever ``events`` subscribes to
transcript    fail_transcript     a transcription does not begin, but ends with the ``code`` (32651)
transcript    shuffle_transcript  all that is told of it comes at its end, one after another, never in order; ``seed``
transcript    double_transcript   each of it ``times`` (2) at once
transcript    lose_transcript     what has the number ``sequence_id`` (2) never comes
transcript    late_transcript     what has the number ``sequence_id`` (2) comes behind the end
============  ==================  ====================================================================================

A stream takes one of each of the faults of *stream* and *socket*, and all garbage; a relay session those of *relay* and
*socket*; a transcription one of each of *transcript*. Seconds are of the stream, or of the relay's call. ``to`` limits any
fault to one recipient (a socket's, and a transcription's, is the person), ``method`` (POST) says which requests those of moment
*request* hit, ``*`` being any, and ``path`` what is in their path.
"""

import threading
from dataclasses import asdict, dataclass, field

_WHICH = frozenset({"method", "path"})
_KINDS: dict[str, tuple[str, frozenset[str]]] = {
    "slow": ("request", frozenset({"seconds", *_WHICH})),
    "hang": ("request", frozenset({"seconds", *_WHICH})),
    "drop_before": ("request", _WHICH),
    "status": ("request", frozenset({"status", *_WHICH})),
    "reject": ("request", frozenset({"code", "status", *_WHICH})),
    "drop_after": ("answer", frozenset()),
    "late_response": ("answer", frozenset()),
    "undelivered": ("delivery", frozenset({"status", "error_code"})),
    "duplicate_status": ("callbacks", frozenset({"times"})),
    "shuffle_status": ("callbacks", frozenset({"seed"})),
    "duplicate_webhook": ("inbound", frozenset({"times"})),
    "media_not_ready": ("media", frozenset()),
    "media_redirect": ("media", frozenset({"url"})),
    "media_length": ("media", frozenset({"bytes"})),
    "media_endless": ("media", frozenset()),
    "shuffle_frames": ("stream", frozenset({"window_ms", "seed"})),
    "duplicate_frames": ("stream", frozenset({"fraction", "seed"})),
    "lose_frames": ("stream", frozenset({"fraction", "seed"})),
    "stop_frames": ("stream", frozenset({"after"})),
    "lose_stop": ("stream", frozenset({"socket"})),
    "drop_socket": ("socket", frozenset({"after"})),
    "forge_handshake": ("socket", frozenset()),
    "alter_start": ("socket", frozenset({"call_sid", "parameter", "value"})),
    "garbage": ("socket", frozenset({"text", "after"})),
    "drop_in_reply": ("relay", frozenset({"after"})),
    "idle_socket": ("relay", frozenset({"after"})),
    "swap_prompts": ("relay", frozenset()),
    "join_prompts": ("relay", frozenset()),
    "repeat_message": ("relay", frozenset({"type"})),
    "lose_info": ("relay", frozenset()),
    "fail_transcript": ("transcript", frozenset({"code"})),
    "shuffle_transcript": ("transcript", frozenset({"seed"})),
    "double_transcript": ("transcript", frozenset({"times"})),
    "lose_transcript": ("transcript", frozenset({"sequence_id"})),
    "late_transcript": ("transcript", frozenset({"sequence_id"})),
}
_REQUIRED = {"reject": "code", "garbage": "text", "media_redirect": "url", "media_length": "bytes"}
_REPEATED = "garbage"
_TEXT_OPTIONS = frozenset({"to", "method", "path", "socket", "call_sid", "parameter", "value", "text", "type", "url"})


@dataclass
class Fault:
    """``count`` is how many requests it still hits."""

    kind: str
    count: int
    options: dict[str, object] = field(default_factory=dict)

    def number(self, name: str, default: float) -> float:
        """A numeric option."""
        value = self.options.get(name, default)
        return float(value) if isinstance(value, int | float) else default

    def integer(self, name: str, default: int) -> int:
        """A whole-number option."""
        return int(self.number(name, default))

    def text(self, name: str, default: str) -> str:
        """A textual option."""
        return str(self.options.get(name, default))

    def hits(self, moment: str, method: str, to: str | None, path: str) -> bool:
        """Whether this is its moment, its method, its recipient and its path."""
        if _KINDS[self.kind][0] != moment or self.count < 1:
            return False
        if self.text("method", "POST") not in {method, "*"} or self.text("path", "") not in path:
            return False
        return "to" not in self.options or self.options["to"] == to


class Faults:
    """The faults to come, in the order in which they were added. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, kind: str, count: int = 1, **options: object) -> Fault:
        """Add one. Raises ValueError for a kind or an option that does not exist."""
        if kind not in _KINDS:
            raise ValueError(f"no fault {kind!r}; there are {', '.join(_KINDS)}")
        unknown = set(options) - _KINDS[kind][1] - {"to"}
        if unknown:
            raise ValueError(f"{kind} has no option {', '.join(sorted(unknown))}")
        if kind in _REQUIRED and _REQUIRED[kind] not in options:
            raise ValueError(f"{kind} needs {_REQUIRED[kind]}")
        _check_status(kind, options)
        fault = Fault(kind, count, options)
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._faults.clear()

    def pending(self) -> list[dict[str, object]]:
        """What is still to come, for JSON."""
        with self._lock:
            return [asdict(fault) for fault in self._faults]

    def take(self, moment: str, *, method: str = "POST", to: str | None = None, path: str = "") -> Fault | None:
        """Use up the first fault that hits; None where none does."""
        with self._lock:
            for fault in self._faults:
                if fault.hits(moment, method, to, path):
                    self._use_up([fault])
                    return fault
        return None

    def take_all(self, moment: str, *, to: str | None = None) -> list[Fault]:
        """Use up the first fault of each kind that hits, and all garbage."""
        with self._lock:
            taken: list[Fault] = []
            for fault in self._faults:
                is_new = fault.kind == _REPEATED or fault.kind not in {other.kind for other in taken}
                if is_new and fault.hits(moment, "POST", to, ""):
                    taken.append(fault)
            self._use_up(taken)
        return taken

    def _use_up(self, faults: list[Fault]) -> None:
        for fault in faults:
            fault.count -= 1
        self._faults = [other for other in self._faults if other.count > 0]


def _check_status(kind: str, options: dict[str, object]) -> None:
    if kind == "undelivered" and options.get("status", "failed") not in {"undelivered", "failed"}:
        raise ValueError("undelivered has the status undelivered or failed")
    if options.get("socket", "open") not in {"open", "closed"}:
        raise ValueError("the socket of lose_stop is open or closed")
    for name, value in options.items():
        textual = name in _TEXT_OPTIONS or (kind, name) == ("undelivered", "status")
        if not isinstance(value, str if textual else int | float):
            raise ValueError(f"{name}={value!r} of {kind} is not a {'text' if textual else 'number'}")
