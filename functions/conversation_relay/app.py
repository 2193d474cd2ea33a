"""ConversationRelay's messages, and whatever else comes over the socket without a route of its own."""

from twilio_plugin.runtime.wiring import relay

lambda_handler = relay.conversation_relay()
