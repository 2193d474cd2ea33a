"""Invoked by agents: send media, with or without words."""

from twilio_plugin.runtime.wiring import texts

lambda_handler = texts.send_mms()
