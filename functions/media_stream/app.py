"""The WebSocket API's messages but the audio, closed sockets, and sessions that died."""

from twilio_plugin.runtime.wiring import streams

lambda_handler = streams.media_stream()
