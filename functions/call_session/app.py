"""Invoked by media_stream and by itself: listen to a call."""

from twilio_plugin.runtime import wiring

lambda_handler = wiring.call_session()
