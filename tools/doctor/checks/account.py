"""The Twilio account: who we are to it, and what it lets us do."""

from __future__ import annotations

from twilio.base.exceptions import TwilioException

from tools.doctor import twilio_client
from tools.doctor.findings import Examination
from tools.doctor.stack import TEST_NUMBER, Stack
from twilio_plugin.domain.address import masked

_REFUSED = (401, 403)


def credentials(stack: Stack, seen: Examination) -> None:
    """Whether Twilio accepts what the stack has stored."""
    try:
        account = stack.account
    except TwilioException as error:
        status, _ = twilio_client.refusal(error)
        if status not in (*_REFUSED, 404):
            raise
        seen.error(
            f"Twilio does not accept the stored auth token for the account {_sid(stack.account_sid)} (HTTP {status}).",
            "Compare account SID and auth token with the Twilio console's first page; a number of a subaccount needs the "
            "subaccount's. Write the right token into the secret, or deploy with the right TwilioAccountSid.",
        )
        return
    seen.fact(f"{account.friendly_name} takes the auth token")
    if stack.credentials.api_key:
        _api_key(stack, stack.credentials.api_key, seen)


def _api_key(stack: Stack, key: tuple[str, str], seen: Examination) -> None:
    try:
        twilio_client.client(*key, stack.account_sid, stack.api_base_url).incoming_phone_numbers.list(limit=1)
    except TwilioException as error:
        status, _ = twilio_client.refusal(error)
        if status not in _REFUSED:
            raise
        seen.error(
            f"Twilio does not accept the stored API key {_sid(key[0])} (HTTP {status}).",
            "Make a new API key in the Twilio console, with access to messages, calls and phone numbers, and store its SID and "
            "secret.",
        )
        return
    seen.fact("and the API key")


def state(stack: Stack, seen: Examination) -> None:
    """Whether the account is active."""
    if stack.account.status != "active":
        seen.error(
            f"The Twilio account is {stack.account.status}: it neither texts nor calls.",
            "The Twilio console says why; most often the balance is used up, or a payment failed.",
        )
    seen.fact(f"{stack.account.status}, {stack.account.type}")


def trial(stack: Stack, seen: Examination) -> None:
    """What a trial account cannot do."""
    if not stack.is_trial:
        seen.fact("a full account")
        return
    seen.note(
        "It is a trial account: it expires, and texts and calls only the numbers verified for it.", "Upgrade it to go on."
    )
    mode = stack.parameters.get("VoiceMode", "stream")
    if mode == "stream":
        seen.error(
            "VoiceMode is stream, and on a trial account Twilio takes <Stream> out of every document.",
            "Deploy with VoiceMode=gather, which works on a trial account, or upgrade the account.",
        )
    elif mode == "relay":
        seen.warning(
            "VoiceMode is relay; whether a trial account may use ConversationRelay is up to Twilio.",
            "If callers hear that a verb is not available, deploy with VoiceMode=gather, or upgrade the account.",
        )
    verified = {one.phone_number for one in stack.twilio.outgoing_caller_ids.list(limit=100)}
    if not verified:
        seen.error(
            "No number is verified, so a trial account can text and call nobody (21608, 21219).",
            "Verify your own under Phone Numbers > Verified Caller IDs in the Twilio console.",
        )
    elif stack.test_number and stack.test_number not in verified:
        seen.error(
            f"{TEST_NUMBER}, {masked(stack.test_number)}, is not verified for this trial account.",
            "Verify it under Phone Numbers > Verified Caller IDs in the Twilio console.",
        )
    seen.fact(f"{len(verified)} verified numbers")


def _sid(sid: str) -> str:
    return f"{sid[:2]}…{sid[-4:]}"
