"""`media` of the WebSocket API, where API Gateway does not store the audio itself."""

from twilio_plugin.runtime.wiring import streams

lambda_handler = streams.frame_ingest()
