"""Texts from the bus: into the queue, one group a conversation."""

from twilio_plugin.runtime.wiring import bridge

lambda_handler = bridge.bridge_queue()
