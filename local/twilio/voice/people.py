"""The part of the stand-in that people with phones have to do with."""

from collections.abc import Sequence

from ..account import Account
from ..numbers import Number
from ..server import ServerThread
from .handset import PhoneCall
from .line import Line
from .operator import Operator
from .phones import Behaviour
from .script import Step, check_script


class People:
    """Calls from and to people. ``phones`` says what somebody does when called; who is not in it answers at once."""

    phones: dict[str, Behaviour]
    _account: Account
    _server: ServerThread

    @property
    def _operator(self) -> Operator:
        raise NotImplementedError

    @property
    def voice_url(self) -> str | None:
        """Where calls to the first number go, to be set for all of them at any time; may have a fragment with overrides."""
        return self._first.voice_url or None

    @voice_url.setter
    def voice_url(self, url: str | None) -> None:
        self._account.set_all(voice_url=url or "")

    @property
    def voice_fallback_url(self) -> str | None:
        """Who is asked instead when that fails."""
        return self._first.voice_fallback_url or None

    @voice_fallback_url.setter
    def voice_fallback_url(self, url: str | None) -> None:
        self._account.set_all(voice_fallback_url=url or "")

    @property
    def status_url(self) -> str | None:
        """Who is told when an inbound call has ended."""
        return self._first.status_callback or None

    @status_url.setter
    def status_url(self, url: str | None) -> None:
        self._account.set_all(status_callback=url or "")

    @property
    def _first(self) -> Number:
        return self._account.number(self._account.phone_numbers[0])

    def call_in(
        self, from_: str, to: str | None = None, script: Sequence[Step] | None = None, **extra_fields: str
    ) -> PhoneCall:
        """A person calls the account; returns when it rings.

        With a ``script`` (steps of :func:`local.twilio.voice.script.follow`) nobody needs to play the person, and Twilio is
        not patient with them. ``extra_fields`` add to the first webhook's fields and replace them. Raises ValueError where
        ``to`` is not the account's or the script is none, RuntimeError without a ``voice_url``.
        """
        number = to or self._account.phone_numbers[0]
        if self._account.owns(number) and self._account.number(number).calls() is None:
            raise RuntimeError("voice_url is not set")
        check_script(script or [])

        async def call() -> Line:
            return self._operator.call_in(from_, number, script, extra_fields)

        return PhoneCall(self._server, self._server.run(call))

    def wait_for_call(self, person: str, after: int = 0, timeout: float = 5.0) -> PhoneCall:
        """The call with index ``after`` that made that person's phone ring. Raises TimeoutError."""

        async def wait() -> list[Line]:
            await self._operator.lines.changes.wait_until(lambda: len(self._operator.rung(person)) > after, timeout)
            return self._operator.rung(person)

        rung = self._server.run(wait)
        if len(rung) <= after:
            raise TimeoutError(f"after {timeout} s the phone {person} has rung {len(rung)} times")
        return PhoneCall(self._server, rung[after])

    def live_calls(self) -> list[PhoneCall]:
        """Those that have not ended, oldest first."""

        async def lines() -> list[Line]:
            return [line for line in self._operator.lines if not line.call.ended]

        return [PhoneCall(self._server, line) for line in self._server.run(lines)]
