"""POST /webhooks/twilio/voice/gather: a call without a socket has listened, and wants its next document."""

from twilio_plugin.runtime.wiring import calls

lambda_handler = calls.gather_webhook()
