"""The stored credentials: there, of the right shape, and no example. What is in them is never shown."""

from __future__ import annotations

import re

from tools.doctor.findings import Examination
from tools.doctor.stack import Stack
from twilio_plugin.errors import Misconfigured, StorageUnavailable

# Twilio's auth tokens.
_TOKEN = re.compile(r"^[0-9a-f]{32}$")


def secret(stack: Stack, seen: Examination) -> None:
    """Whether what the functions read is what they need."""
    try:
        credentials = stack.credentials
    except Misconfigured as error:
        seen.error(str(error), "Write the secret anew in Secrets Manager; the functions read it again within five minutes.")
        return
    except StorageUnavailable as error:
        seen.error(
            f"The stored credentials cannot be read: {error}",
            "Restore the secret, or deploy with TwilioSecretName naming one that exists and that your role may read.",
        )
        return
    token = credentials.auth_tokens[0]
    if not _TOKEN.match(token):
        seen.error(
            f"What is stored as the auth token is none: {len(token)} characters, where Twilio's are 32 hexadecimal digits.",
            "Copy the auth token from the Twilio console's first page into the field auth_token of the secret.",
        )
    seen.fact(f"auth token present, {len(token)} characters")
    if len(credentials.auth_tokens) > 1:
        seen.note(
            "An earlier auth token is accepted as well: previous_auth_token, or what the secret held until a moment ago.",
            "Once a rotation is over, take previous_auth_token out of the secret.",
        )
    if credentials.api_key:
        seen.fact(f"API key secret present, {len(credentials.api_key[1])} characters")
