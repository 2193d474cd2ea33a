"""POST /webhooks/twilio/status: Twilio says how far a message of ours has come."""

from twilio_plugin.runtime.wiring import upkeep

lambda_handler = upkeep.status_webhook()
