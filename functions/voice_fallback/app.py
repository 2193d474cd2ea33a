"""POST /webhooks/twilio/voice/fallback: voice_webhook could not answer. On its own: no layer, no table, no secret."""

TWIML = """<?xml version="1.0" encoding="UTF-8"?>
<Response><Say>Sorry, we cannot take your call right now. Please call again later.</Say><Hangup/></Response>"""


def lambda_handler(_event: object, _context: object) -> dict[str, object]:
    """The same words to everybody who asks."""
    return {"statusCode": 200, "headers": {"content-type": "text/xml; charset=utf-8"}, "body": TWIML}
