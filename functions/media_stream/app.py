"""The WebSocket API's messages but the audio, closed sockets, and sessions that died."""

from twilio_plugin.runtime import wiring

lambda_handler = wiring.media_stream()
