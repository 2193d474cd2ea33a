"""Invoked by agents: send a text."""

from twilio_plugin.runtime.wiring import texts

lambda_handler = texts.send_sms()
