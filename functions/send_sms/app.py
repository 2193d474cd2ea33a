"""Invoked by agents: send a text."""

from twilio_plugin.runtime import wiring

lambda_handler = wiring.send_sms()
