"""POST /webhooks/twilio/sms: a person sent us a text."""

from twilio_plugin.runtime import wiring

lambda_handler = wiring.sms_webhook()
