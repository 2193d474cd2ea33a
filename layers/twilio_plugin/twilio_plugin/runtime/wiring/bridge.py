"""The bridge: from what a person says to the agent's function, and back."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import boto3

from twilio_plugin.runtime import config
from twilio_plugin.runtime.observability import correlate, logger
from twilio_plugin.runtime.wiring import calls, parts, streams, texts

if TYPE_CHECKING:
    from twilio_plugin.domain.inbound_turn import TextTurn

Handler = Callable[[Any, Any], Any]

# A conversation on the phone takes more turns than one of texts; what is to be stopped takes more still.
SPEECH_FACTOR = 10


def bridge_queue() -> Handler:
    from twilio_plugin.adapters.text_queue import SqsTextQueue
    from twilio_plugin.domain.inbound_turn import text_turn
    from twilio_plugin.runtime.bus import subscriber

    env = config.read(config.BridgeQueue)
    queue = SqsTextQueue(boto3.client("sqs", config=parts.AWS), env.agent_queue_url)

    def use_case(detail: Mapping[str, Any]) -> str:
        queue.put(text_turn(detail))
        return "queued"

    return subscriber(use_case)


def bridge() -> Handler:
    from twilio_plugin.adapters import agent_lambda
    from twilio_plugin.adapters.agent_turns import AgentTurnsTable
    from twilio_plugin.adapters.history import HistoryTable
    from twilio_plugin.adapters.text_queue import SqsTextQueue, read
    from twilio_plugin.domain.inbound_turn import speech_turn
    from twilio_plugin.runtime.bus import subscriber
    from twilio_plugin.runtime.queue import consumer
    from twilio_plugin.services.agent_guard import Guard
    from twilio_plugin.services.answer_speech import SpeechBridge, answer_speech
    from twilio_plugin.services.answer_text import TextBridge, answer_text

    env = config.read(config.Bridge)
    outbox, conversations = parts.tables(env)
    agent = agent_lambda.LambdaAgent(boto3.client("lambda", config=agent_lambda.CONFIG), env.agent_function)
    turns = AgentTurnsTable(parts.dynamodb(), env.conversations_table, outbox, conversations)
    history = HistoryTable(parts.dynamodb(), env.conversations_table)
    queue = SqsTextQueue(boto3.client("sqs", config=parts.AWS), env.agent_queue_url)
    attempts = config.number(env.agent_attempts, "AGENT_ATTEMPTS")
    ceiling = config.number(env.turns_per_hour, "TURNS_PER_HOUR")
    guard = Guard(turns, outbox, parts.now, texts_per_hour=ceiling, speech_per_hour=SPEECH_FACTOR * ceiling)
    texts_by = TextBridge(agent, turns, history, texts.sender(env), guard, attempts)
    speech_by = SpeechBridge(
        agent=agent,
        turns=turns,
        history=history,
        speaker=streams.speaker(env),
        controller=calls.controller(env),
        guard=guard,
        clock=parts.now,
        sleep=time.sleep,
    )

    def text(turn: TextTurn, attempt: int) -> str:
        logger.append_keys(event_id=turn.event_id)
        correlate(turn.event_id)
        return answer_text(turn, attempt, texts_by)

    def speech(detail: Mapping[str, Any]) -> str:
        return answer_speech(speech_turn(detail), speech_by)

    from_queue, from_bus = consumer(read, text, queue.retry_in, attempts=attempts), subscriber(speech)

    def lambda_handler(event: Any, context: Any) -> Any:
        return from_queue(event, context) if "Records" in event else from_bus(event, context)

    return lambda_handler
