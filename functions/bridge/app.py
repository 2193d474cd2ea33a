"""Queue of texts, and spoken turns from the bus: have the agent answer."""

from twilio_plugin.runtime.wiring import bridge

lambda_handler = bridge.bridge()
