"""POST /webhooks/twilio/status: Twilio says how far a message of ours has come."""

from twilio_plugin.runtime import wiring

lambda_handler = wiring.status_webhook()
