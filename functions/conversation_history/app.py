"""Invoked by agents: read a conversation."""

from twilio_plugin.runtime.wiring import texts

lambda_handler = texts.conversation_history()
