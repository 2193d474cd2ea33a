"""Invoked by agents: call a person."""

from twilio_plugin.runtime.wiring import calls

lambda_handler = calls.make_call()
