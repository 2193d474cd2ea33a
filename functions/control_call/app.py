"""Invoked by agents: tell a call what to do."""

from twilio_plugin.runtime.wiring import calls

lambda_handler = calls.control_call()
