"""POST /webhooks/twilio/voice: a person is calling us."""

from twilio_plugin.runtime import wiring

lambda_handler = wiring.voice_webhook()
