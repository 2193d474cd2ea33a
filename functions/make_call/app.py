"""Invoked by agents: call a person."""

from twilio_plugin.runtime import wiring

lambda_handler = wiring.make_call()
