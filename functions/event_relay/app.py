"""Stream of the Outbox table: put events on the bus."""

from twilio_plugin.runtime.wiring import upkeep

lambda_handler = upkeep.event_relay()
