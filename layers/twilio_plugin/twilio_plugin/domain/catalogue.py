"""What an agent can do with the phone, and look up: the actions, the providers, and the tools that a model is given.

Every example is a test: what a sentence is understood as, and that its fields are the input of its function.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from twilio_plugin.domain import actions
from twilio_plugin.domain.natural_text.request import ActionName


@dataclass(frozen=True, slots=True)
class Example:
    """What a person may say, and the fields it comes to."""

    says: str
    input: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Description:
    """Something the phone can do or knows. ``function`` is a function's name without the stack's, ``send-sms``."""

    name: str
    description: str
    function: str
    input: type[BaseModel]


@dataclass(frozen=True, slots=True)
class ActionDescription(Description):
    """Something to do."""

    name: ActionName
    input: type[actions.SendMessage | actions.MakeCall]
    output: type[actions.SendResult | actions.MadeCall]
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class ProviderDescription(Description):
    """Something to know. The answer has a ``text`` to put into a prompt."""

    output: type[actions.History | actions.CallStates]
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class ToolDescription(Description):
    """A function as a model is offered it: the fields that a model can know, and no others.

    What runs or fetches a document (`twiml`, `url`), and what only the program knows (`idempotency_key`,
    `messaging_service_sid`), is not for a model.
    """

    needs: tuple[str, ...]
    """Fields that every call must have, be they optional in the input or not."""
    takes: tuple[str, ...] = ()
    """Fields that a call can have."""
    always: Mapping[str, Any] = field(default_factory=dict)
    """Fields that are the same in every call and not shown."""


SEND_SMS = ActionDescription(
    name="SEND_SMS",
    description="Send a text message to a phone number.",
    function="send-sms",
    input=actions.SendSms,
    output=actions.SendResult,
    examples=(
        Example("Send a text to +15555551234 saying Hello!", {"to": "+15555551234", "body": "Hello!"}),
        Example("Text 555-555-1234: running late", {"to": "+15555551234", "body": "running late"}),
        Example("SMS +44 20 7946 0958 'See you at 5'", {"to": "+442079460958", "body": "See you at 5"}),
        Example(
            "Could you let +1 555 555 1234 know that the meeting moved?", {"to": "+15555551234", "body": "the meeting moved"}
        ),
    ),
)
SEND_MMS = ActionDescription(
    name="SEND_MMS",
    description="Send pictures, or other media, to a phone number, with or without words.",
    function="send-mms",
    input=actions.SendMms,
    output=actions.SendResult,
    examples=(
        Example(
            "Send a picture to +15555551234 https://example.com/cat.png",
            {"to": "+15555551234", "media_url": ["https://example.com/cat.png"]},
        ),
        Example(
            "Send this photo: https://example.com/lake.jpg to (555) 555-1234 saying What a great Saturday at the lake",
            {
                "to": "+15555551234",
                "media_url": ["https://example.com/lake.jpg"],
                "body": "What a great Saturday at the lake",
            },
        ),
        Example(
            "MMS +15555551234 https://example.com/a.png https://example.com/b.png 'Which one?'",
            {
                "to": "+15555551234",
                "media_url": ["https://example.com/a.png", "https://example.com/b.png"],
                "body": "Which one?",
            },
        ),
    ),
)
MAKE_CALL = ActionDescription(
    name="MAKE_CALL",
    description="Call a phone number. The person talks to the agent, or hears words and the call ends.",
    function="make-call",
    input=actions.MakeCall,
    output=actions.MadeCall,
    examples=(
        Example("Call (555) 555-1234 and say dinner is ready", {"to": "+15555551234", "say": "dinner is ready"}),
        Example("Give my wife at +15555551234 a ring", {"to": "+15555551234"}),
        Example(
            "Make a phone call to +44 20 7946 0958 and tell them that the car is ready",
            {"to": "+442079460958", "say": "the car is ready"},
        ),
    ),
)
ACTIONS: tuple[ActionDescription, ...] = (SEND_SMS, SEND_MMS, MAKE_CALL)

CONVERSATION_HISTORY = ProviderDescription(
    name="conversationHistory",
    description="What a person and we have written and said to each other, newest messages, oldest first.",
    function="conversation-history",
    input=actions.ReadHistory,
    output=actions.History,
    examples=(Example("What did +15555551234 and I write to each other?", {"phone_number": "+15555551234", "limit": 10}),),
)
CALL_STATE = ProviderDescription(
    name="callState",
    description="What calls are going on, and what is being said in them; or how one call ended.",
    function="call-state",
    input=actions.ReadCalls,
    output=actions.CallStates,
    examples=(Example("Is anybody on the phone?", {}),),
)
PROVIDERS: tuple[ProviderDescription, ...] = (CONVERSATION_HISTORY, CALL_STATE)

TOOLS: tuple[ToolDescription, ...] = (
    ToolDescription("send_sms", SEND_SMS.description, SEND_SMS.function, actions.SendSms, ("to", "body"), ("from",)),
    ToolDescription(
        "send_mms", SEND_MMS.description, SEND_MMS.function, actions.SendMms, ("to", "media_url"), ("body", "from")
    ),
    ToolDescription(
        "make_call",
        "Call a person. They talk to you, unless `say` has the words to speak before the call ends.",
        MAKE_CALL.function,
        actions.MakeCall,
        ("to",),
        ("say", "from"),
    ),
    ToolDescription(
        "conversation_history",
        CONVERSATION_HISTORY.description,
        CONVERSATION_HISTORY.function,
        actions.ReadHistory,
        ("phone_number",),
        ("limit", "our_number", "channel", "next_token"),
    ),
    ToolDescription("call_state", CALL_STATE.description, CALL_STATE.function, actions.ReadCalls, (), ("call_sid",)),
    ToolDescription(
        "say",
        "Say something in a call that is going on. Use it for every answer to what the person says.",
        "say",
        actions.Say,
        ("call_sid", "text"),
        ("interrupt", "allow_barge_in"),
    ),
    # One tool for each thing that `control-call` does: no vendor's schema can say which field goes with which action.
    ToolDescription(
        "transfer_call",
        "Connect the person in a call to another phone number. Your part in the call ends.",
        "control-call",
        actions.ControlCall,
        ("call_sid", "to"),
        always={"action": "transfer"},
    ),
    ToolDescription(
        "send_digits",
        "Press keys in a call, as for a menu or an extension.",
        "control-call",
        actions.ControlCall,
        ("call_sid", "digits"),
        always={"action": "send_digits"},
    ),
    ToolDescription(
        "end_call",
        "Hang up a call, at once: say goodbye first.",
        "control-call",
        actions.ControlCall,
        ("call_sid",),
        always={"action": "end"},
    ),
)
