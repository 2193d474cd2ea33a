"""`media` of the WebSocket API, where API Gateway does not store the audio itself."""

from twilio_plugin.runtime import wiring

lambda_handler = wiring.frame_ingest()
