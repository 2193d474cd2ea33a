"""The verbs that the stand-in plays, by their names in TwiML."""

from collections.abc import Mapping

from ..session import Verb
from .dial import dial
from .flow import hang_up, redirect, reject
from .gather import gather
from .prompts import pause, play, say
from .record import record
from .streams import connect, start, stop

VERBS: Mapping[str, Verb] = {
    "Connect": connect,
    "Dial": dial,
    "Gather": gather,
    "Hangup": hang_up,
    "Leave": hang_up,
    "Pause": pause,
    "Play": play,
    "Record": record,
    "Redirect": redirect,
    "Reject": reject,
    "Say": say,
    "Start": start,
    "Stop": stop,
}
