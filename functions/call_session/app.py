"""Invoked by media_stream and by itself: listen to a call."""

from twilio_plugin.runtime.wiring import streams

lambda_handler = streams.call_session()
