"""Calls that run into a ``<ConversationRelay>``."""

from local.twilio.receiver import Receiver, twiml
from local.twilio.standin import TwilioStandIn
from local.twilio.voice.handset import PhoneCall

from .account import PERSON
from .sockets import Connection, SocketServer

AFTER = "<Say>After.</Say>"
ALL_EVENTS = 'events="speaker-events tokens-played"'


def connect(ours: SocketServer, attributes: str = "", inner: str = "", action: str = "") -> str:
    """``action`` is an attribute of ``<Connect>``, as text."""
    relay = f'<ConversationRelay url="{ours.url}/live" {attributes}>{inner}</ConversationRelay>'
    return f"<Connect {action}>{relay}</Connect>{AFTER}"


def begin(
    twilio: TwilioStandIn, webhook: Receiver, ours: SocketServer, attributes: str = "", inner: str = "", action: str = ""
) -> tuple[PhoneCall, Connection]:
    """A call whose session has begun, and our side of its first socket."""
    webhook.pages["/voice"] = twiml(connect(ours, attributes, inner, action))
    call = twilio.call_in(PERSON)
    connection = ours.connection()
    connection.wait_for("setup")
    return call, connection


def codes(twilio: TwilioStandIn) -> list[int]:
    return [alert.code for alert in twilio.alerts]


def prompts(connection: Connection) -> list[str]:
    return [str(message["voicePrompt"]) for message in connection.of("prompt") if message["last"]]
