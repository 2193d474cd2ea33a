"""The doctor: looks at a stack, its Twilio account and what lies between them, and says what to do about what is wrong.

It changes nothing. What it asks of AWS and Twilio only reads; what it sends to the webhooks is refused by design.
"""
