"""The account of the tests of calls, and what its webhooks can check."""

from twilio.request_validator import RequestValidator

from local.twilio.receiver import Received

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "0f" * 16
NUMBER = "+14155550100"
PERSON = "+14155550199"
COLLEAGUE = "+14155550177"


def is_signed(request: Received, base: str) -> bool:
    """Whether Twilio's own validator takes the request for Twilio's."""
    posted = {} if request.method == "GET" else request.fields
    return bool(RequestValidator(TOKEN).validate(base + request.path, posted, request.headers["x-twilio-signature"]))
