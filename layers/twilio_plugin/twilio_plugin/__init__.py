"""A phone number for an AI agent: texts and calls through Twilio, serverless on AWS."""

__version__ = "0.2.0"
