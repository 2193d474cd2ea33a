"""The verbs that the stand-in plays, by their names in TwiML. Those of media streams belong here when they come."""

from collections.abc import Mapping

from ..session import Verb
from .flow import hang_up, redirect, reject
from .gather import gather
from .prompts import pause, play, say

VERBS: Mapping[str, Verb] = {
    "Gather": gather,
    "Hangup": hang_up,
    "Leave": hang_up,
    "Pause": pause,
    "Play": play,
    "Redirect": redirect,
    "Reject": reject,
    "Say": say,
}
