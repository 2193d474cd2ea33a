"""Twilio's refusals: an error code with its HTTP status and its wording.

Wordings as seen in answers of api.twilio.com that people have published; where none was found, the title of
https://www.twilio.com/docs/api/errors/{code}. The body is ``{"code", "message", "more_info", "status"}``.
"""

from dataclasses import dataclass

_KNOWN: dict[int, tuple[int, str]] = {
    20003: (401, "Authenticate"),
    20004: (405, "Method not allowed"),
    20009: (409, "Cannot delete this resource before it is complete"),
    20404: (404, "The requested resource {path} was not found"),
    20429: (429, "Too Many Requests"),
    20500: (500, "Internal Server Error"),
    20503: (503, "Service Unavailable"),
    21201: (400, "No 'To' number is specified"),
    21205: (400, "Url parameter is required."),
    21206: (400, "Invalid SendDigits"),
    21208: (400, "Invalid Timeout"),
    21209: (400, "Invalid Method"),
    21210: (
        400,
        "The source phone number provided, {from_}, is not yet verified for your account. "
        "You may only make calls from phone numbers that you've verified or purchased from Twilio.",
    ),
    21211: (400, "The 'To' number {to} is not a valid phone number."),
    21212: (400, "The 'From' number {from_} is not a valid phone number, shortcode, or alphanumeric sender ID."),
    21213: (400, "No 'From' number is specified"),
    21214: (400, "'To' phone number cannot be reached"),
    21215: (
        400,
        "Account not authorized to call {to}. Perhaps you need to enable some international permissions: "
        "https://www.twilio.com/console/voice/calls/geo-permissions/low-risk",
    ),
    21216: (400, "Account not allowed to call {to}"),
    21217: (400, "Phone number does not appear to be valid"),
    21218: (400, "Invalid ApplicationSid"),
    21220: (400, "Call is not in-progress. Cannot redirect."),
    21266: (400, "'To' and 'From' number cannot be the same: {to}"),
    21402: (400, "SmsUrl is not a valid URL: {url}"),
    21403: (400, "SmsFallbackUrl is not a valid URL: {url}"),
    21408: (
        400,
        "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: {to}.",
    ),
    21502: (400, "VoiceUrl is not a valid URL: {url}"),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' phone number is required."),
    21604: (400, "A 'To' phone number is required."),
    21606: (
        400,
        "The From phone number {from_} is not a valid, SMS-capable inbound phone number or short code for your account.",
    ),
    21609: (400, "The StatusCallback URL {url} is not a valid URL."),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21611: (400, "This 'From' number has exceeded the maximum number of queued messages"),
    21612: (
        400,
        "The 'To' phone number: {to}, is not currently reachable using the 'From' phone number: {from_} via SMS.",
    ),
    21614: (400, "'To' number is not a valid mobile number"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit."),
    21619: (400, "A text message body or media urls must be specified."),
    21620: (400, "Invalid media URL(s)"),
    21623: (400, "Number of media files exceeds allowed limit"),
    21654: (400, "ContentSid Required"),
    21655: (400, "The ContentSid is Invalid"),
    21656: (400, "The Content Variables parameter is invalid."),
    21701: (404, "The Messaging Service {service} does not exist"),
    21910: (400, "Invalid From and To pair. From and To should be of the same channel"),
    30400: (400, "Parameters are not valid"),
    30409: (409, "This message cannot be canceled"),
    63007: (400, "Twilio could not find a Channel with the specified From address"),
}


@dataclass
class Refusal(Exception):
    """What Twilio answers instead of doing what it was asked."""

    code: int
    status: int
    message: str

    def body(self) -> dict[str, object]:
        """The JSON of the answer."""
        return {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }


def refusal(code: int, *, status: int | None = None, **words: object) -> Refusal:
    """The refusal of that code; ``words`` fill its wording. A code not listed here is a 400 of its number."""
    known_status, template = _KNOWN.get(code, (400, "Error {code}"))
    filled = template.format_map(_Words(code=code, **words))
    return Refusal(code, status or known_status, filled)


class _Words(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return ""
