"""Calls: the Call resource, TwiML as it is executed, and the people at the other end of the line."""
