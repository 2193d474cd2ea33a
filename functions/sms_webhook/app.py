"""POST /webhooks/twilio/sms: a person sent us a text."""

from twilio_plugin.runtime.wiring import texts

lambda_handler = texts.sms_webhook()
