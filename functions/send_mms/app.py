"""Invoked by agents: send media, with or without words."""

from twilio_plugin.runtime import wiring

lambda_handler = wiring.send_mms()
