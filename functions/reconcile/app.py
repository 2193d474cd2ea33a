"""Every five minutes: settle what should have happened by now."""

from twilio_plugin.runtime.wiring import upkeep

lambda_handler = upkeep.reconcile()
