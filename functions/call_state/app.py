"""Invoked by agents: what calls there are."""

from twilio_plugin.runtime import wiring

lambda_handler = wiring.call_state()
