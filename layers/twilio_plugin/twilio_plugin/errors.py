"""What can go wrong, as the caller of a function or of a webhook sees it.

::

    PluginError
    ├── InvalidRequest           the input breaks the function's contract
    │   ├── InvalidPhoneNumber   an address no text can be sent to
    │   ├── InvalidMessage       nothing to send, or options that exclude each other
    │   ├── MediaNotAllowed      too many media, or a URL Twilio cannot fetch
    │   ├── InvalidPageToken     a next_token of another conversation, or none of ours
    │   └── IdempotencyKeyReused the key was used before for a different message
    ├── RecipientOptedOut        the person said STOP to this number
    ├── RecipientNotAllowed      a number in a country that is not allowed, or one that costs more than others
    ├── CeilingReached           as much as a day may see has been sent or called; says when it opens again
    ├── TwilioRejected           Twilio refused, for good; carries its code and the remedy
    ├── TwilioUnavailable        Twilio did not take the request; nothing was sent
    ├── SendOutcomeUnknown       the request left and no answer came; it is being looked up
    ├── SendInProgress           the same idempotency key is being sent right now
    ├── NoMediaStream            the call has no open media stream to speak into
    ├── SpeakerBusy              another utterance is being sent to this call for too long
    ├── SpeechUnavailable        the engine that speaks or the one that hears refused or could not be reached
    ├── StorageUnavailable       DynamoDB, EventBridge or Secrets Manager refused or could not be reached
    ├── Misconfigured            a parameter, an environment variable or a secret is missing or wrong
    ├── InvocationFailed         from the client: the function broke, or is not what it should be; carries Lambda's error type
    │   ├── FunctionUnavailable  it could not be reached, or broke off what may be repeated
    │   └── FunctionOutcomeUnknown  it broke off, or its answer was lost, and what was asked may have been done
    ├── StreamRefused            a media stream that is not the one we asked for; its audio is never read
    ├── UnreadableMessage        a WebSocket message that is none of Media Streams
    └── WebhookRefused           an HTTP request that is not a webhook of ours; carries the HTTP status
        ├── SourceNotAllowed     403: from an address that is not in the list of sources
        ├── InvalidSignature     403
        ├── UnverifiedSignature  503: of a token that the secret may have since a moment; Twilio repeats it
        ├── UnreadableWebhook    400
        ├── UnknownCall          503: about a call that is not recorded, or not yet; Twilio repeats it
        ├── WebhookTooLarge      413
        └── UnsupportedContent   415

Lambda reports the class name as ``errorType``: it is the stable code that callers match on. ``retryable`` says whether the
same call can succeed later with nothing changed.
"""

from __future__ import annotations

import re


class PluginError(Exception):
    """The root. ``retryable`` is True where repeating the same call can help and can do no harm."""

    retryable: bool = False
    idempotency_key: str | None = None
    """The client's: what it sent went out under this key. The same call with the same key sends nothing twice."""


class InvalidRequest(PluginError):
    """The input breaks the function's contract; the message names the field."""


class InvalidPhoneNumber(InvalidRequest):
    """Not a phone number in E.164 or in a form the default region explains."""


class InvalidMessage(InvalidRequest):
    """Nothing to send, or options that exclude each other."""


class MediaNotAllowed(InvalidRequest):
    """More than ten media, or a URL that is not http(s)."""


class InvalidPageToken(InvalidRequest):
    """``next_token`` was not issued for this conversation."""


class IdempotencyKeyReused(InvalidRequest):
    """The key was used within 24 hours for a different recipient, text or media."""


class RecipientOptedOut(PluginError):
    """The person said STOP to this number; only their START reopens it. ``twilio_code`` is 21610, Twilio's own for this."""

    twilio_code = 21610


class RecipientNotAllowed(PluginError):
    """The number is in a country that texts and calls may not go to, or is a premium one; the message says which."""


class CeilingReached(PluginError):
    """A ceiling of the stack's parameters is reached; nothing was sent. The message names it and when it opens again."""

    retryable = True

    @property
    def opens_at(self) -> str | None:
        """When the same can succeed: ISO 8601, UTC. Read from the message, which is all that leaves a Lambda function."""
        found = re.search(r"\d{4}-\d\d-\d\dT[\d:.]+Z", str(self))
        return found[0] if found else None


class TwilioRejected(PluginError):
    """Twilio refused the request for good. ``twilio_code`` is None where Twilio gave none; ``status`` is the HTTP status.

    Both are in the message as well, which is all that leaves a Lambda function: see `domain.twilio_errors`.
    """

    def __init__(self, message: str, *, twilio_code: int | None, status: int | None) -> None:
        super().__init__(message)
        self.twilio_code = twilio_code
        self.status = status


class TwilioUnavailable(PluginError):
    """Twilio did not take the request (refused connections or 429, after retries); nothing was sent."""

    retryable = True


class SendOutcomeUnknown(PluginError):
    """The request left and no answer came. Sending again could text the person twice; reconciliation finds the truth."""


class SendInProgress(PluginError):
    """Another invocation is sending under the same idempotency key."""

    retryable = True


class NoMediaStream(PluginError):
    """The call is over, not answered yet, or run by a TwiML document: there is no stream to speak into."""


class SpeakerBusy(PluginError):
    """Another utterance holds the call's stream and does not let go."""

    retryable = True


class SpeechUnavailable(PluginError):
    """The engine that speaks or the one that hears refused or could not be reached; the cause is chained."""

    retryable = True


class StreamRefused(PluginError):
    """A media stream that is not the one we asked for: its token, account or call is wrong. Its audio is never read."""


class UnreadableMessage(PluginError):
    """A WebSocket message that Media Streams does not have; the message says what is wrong with it."""


class StorageUnavailable(PluginError):
    """An AWS service refused or could not be reached; the cause is chained."""

    retryable = True


class Misconfigured(PluginError):
    """A parameter, an environment variable or a secret is missing or wrong; the message names it."""


class InvocationFailed(PluginError):
    """A function did not answer as it should. ``error_type`` is what Lambda says was raised, empty where nothing was."""

    def __init__(self, message: str, *, error_type: str = "") -> None:
        super().__init__(message)
        self.error_type = error_type


class FunctionUnavailable(InvocationFailed):
    """A function was throttled or out of reach; or it broke off, and a repetition does no harm."""

    retryable = True


class FunctionOutcomeUnknown(InvocationFailed):
    """A function broke off or its answer was lost: what it was asked may have been done, and once more would be twice."""


class WebhookRefused(PluginError):
    """An HTTP request that is not a webhook of ours. ``status`` is what Twilio, or a stranger, is answered."""

    status = 400


class SourceNotAllowed(WebhookRefused):
    """The request comes from an address that the parameter SourceCidrs does not list."""

    status = 403


class InvalidSignature(WebhookRefused):
    """``X-Twilio-Signature`` is missing or does not fit the request."""

    status = 403


class UnverifiedSignature(WebhookRefused):
    """``X-Twilio-Signature`` fits no token known here, and whether the secret has a newer one cannot be looked up right now."""

    status = 503
    retryable = True


class UnreadableWebhook(WebhookRefused):
    """The body cannot be read as one of Twilio's forms; the message names the field."""

    status = 400


class UnknownCall(WebhookRefused):
    """About a call that is not recorded, or not yet: what Twilio calls back may come before the answer to our request."""

    status = 503
    retryable = True


class WebhookTooLarge(WebhookRefused):
    """More bytes or fields than Twilio ever sends."""

    status = 413


class UnsupportedContent(WebhookRefused):
    """Not ``application/x-www-form-urlencoded``."""

    status = 415
