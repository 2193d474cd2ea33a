"""Invoked by agents: speak in a call."""

from twilio_plugin.runtime import wiring

lambda_handler = wiring.say()
