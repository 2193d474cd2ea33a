"""What faults do to one relay session; their kinds are listed in :mod:`local.twilio.faults`. Times are seconds of the call."""

from ..mishaps import SocketMishaps
from .messages import Message

# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
IDLE_SECONDS = 600


class Mishaps(SocketMishaps):
    """A held back prompt waits for the next one."""

    _held_back: Message | None = None

    @property
    def drops_after(self) -> float | None:
        """When in the session the connection breaks, where it is to."""
        return self._after("drop_socket", 1)

    @property
    def drops_in_reply(self) -> float | None:
        """How long after the first word of our first reply it breaks."""
        return self._after("drop_in_reply", 1)

    @property
    def drops_when_idle(self) -> float | None:
        """After how long a silence on the socket it breaks."""
        return self._after("idle_socket", IDLE_SECONDS)

    @property
    def garbage(self) -> list[tuple[float, str]]:
        """What else goes over the socket, and when in the session."""
        return sorted((fault.number("after", 0), fault.text("text", "")) for fault in self._garbage)

    def arriving(self, message: Message) -> list[Message]:
        """What arrives when this was sent: it, others with it, or nothing yet."""
        if message["type"] == "info" and "lose_info" in self._faults:
            return []
        repeated = self._faults.get("repeat_message")
        if repeated and repeated.text("type", "prompt") == message["type"]:
            del self._faults["repeat_message"]
            return [message, message]
        if message["type"] == "prompt" and message["last"]:
            return self._held(message)
        return [message]

    def _held(self, message: Message) -> list[Message]:
        kind = next((kind for kind in ("swap_prompts", "join_prompts") if kind in self._faults), None)
        if kind is None:
            return [message]
        if self._held_back is None:
            self._held_back = message
            return []
        del self._faults[kind]
        first, self._held_back = self._held_back, None
        return [first, message] if kind == "join_prompts" else [message, first]

    def _after(self, kind: str, default: float) -> float | None:
        fault = self._faults.get(kind)
        return fault.number("after", default) if fault else None
