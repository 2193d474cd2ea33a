"""Invoked by agents: read a conversation."""

from twilio_plugin.runtime import wiring

lambda_handler = wiring.conversation_history()
