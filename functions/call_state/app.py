"""Invoked by agents: what calls there are."""

from twilio_plugin.runtime.wiring import calls

lambda_handler = calls.call_state()
