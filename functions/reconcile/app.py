"""Every five minutes: settle what should have happened by now."""

from twilio_plugin.runtime import wiring

lambda_handler = wiring.reconcile()
