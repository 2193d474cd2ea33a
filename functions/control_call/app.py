"""Invoked by agents: tell a call what to do."""

from twilio_plugin.runtime import wiring

lambda_handler = wiring.control_call()
