"""Connection overrides: fragments of our webhooks' URLs, which only Twilio's side reads. By default it repeats next to nothing.

Source: Twilio, "Webhooks: connection overrides".
"""

# Nobody waits for a status callback.
RETRY_CALLBACK = "#rc=3&rp=5xx,ct,rt"
# A person waits for the document: one more try, soon.
RETRY_DOCUMENT = "#rc=1&rp=5xx,ct&rt=5000"
# Nobody waits for the answer to a text, which comes later or not at all.
RETRY_TEXT = "#rc=2&rp=5xx,ct,rt"
