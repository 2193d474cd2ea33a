"""The local stack: the real template on a local AWS engine, with a stand-in for Twilio. Never deployed."""
