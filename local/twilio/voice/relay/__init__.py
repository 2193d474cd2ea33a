"""ConversationRelay: words over a WebSocket of ours, which Twilio speaks to the person, and the person's words back."""
