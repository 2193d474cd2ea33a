"""The function for agents that say in words, or by an action's name, what they want."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twilio_plugin.runtime import config
from twilio_plugin.runtime.observability import logger
from twilio_plugin.runtime.wiring import calls, texts

Handler = Callable[[Any, Any], Any]


def run_action() -> Handler:
    from twilio_plugin.domain.actions import RanAction, RunAction
    from twilio_plugin.runtime.invocation import function
    from twilio_plugin.services.run_action import Agent
    from twilio_plugin.services.run_action import run_action as service

    env = config.read(config.RunAction)
    by = Agent(sender=texts.sender(env), caller=calls.caller(env))

    def use_case(asked: RunAction, request_id: str) -> RanAction:
        ran = service(asked, request_id, by)
        # Neither reason nor reply: they hold numbers and words.
        logger.info("action", extra={"action": ran.action, "valid": ran.valid, "dry_run": asked.dry_run})
        return ran

    return function(RunAction, use_case)
