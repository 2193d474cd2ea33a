"""POST /webhooks/twilio/voice: a person is calling us."""

from twilio_plugin.runtime.wiring import calls

lambda_handler = calls.voice_webhook()
