"""Invoked by agents: speak in a call."""

from twilio_plugin.runtime.wiring import streams

lambda_handler = streams.say()
