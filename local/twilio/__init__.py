"""A stand-in for Twilio: what the plugin talks to where there is no account."""
