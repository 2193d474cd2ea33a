"""Invoked by agents: do what a sentence, or an action with its fields, asks for."""

from twilio_plugin.runtime.wiring import agent

lambda_handler = agent.run_action()
