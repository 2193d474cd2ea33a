"""Something in a ConversationRelay session whose time is up."""

from twilio_plugin.runtime.wiring import relay

lambda_handler = relay.relay_timer()
