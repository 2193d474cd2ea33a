"""Stream of the Outbox table: put events on the bus."""

from twilio_plugin.runtime import wiring

lambda_handler = wiring.event_relay()
