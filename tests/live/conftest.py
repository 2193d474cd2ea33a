"""A real phone: only `make live` runs these, and only where there are credentials and somebody to call."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import NoCredentialsError, NoRegionError

from tests.live.line import Live
from tools.deploy.__main__ import DEFAULT_NAME
from tools.doctor.__main__ import LOCAL_STACK
from tools.doctor.stack import TEST_NUMBER, CannotLook, Stack, Where
from twilio_plugin.adapters.twilio_rest import TWILIO_API


@pytest.fixture(scope="session")
def live(request: pytest.FixtureRequest) -> Live:
    """The stack of `make run` with a real account, or else the deployed one that STACK names."""
    if "live" not in (request.config.option.markexpr or ""):
        pytest.skip("calls and texts a real phone: make live")
    person = os.environ.get(TEST_NUMBER)
    if not person:
        pytest.skip(f"{TEST_NUMBER} names nobody to text and call")
    where = Where.local(LOCAL_STACK) if LOCAL_STACK.exists() else _deployed()
    stack = Stack(where, since=datetime.now(UTC))
    try:
        stack.description  # noqa: B018  the question is whether it is there
    except (NoCredentialsError, NoRegionError) as error:
        pytest.skip(f"{error} Sign in to AWS, or start make run with a real account.")
    except CannotLook as error:
        pytest.fail(f"{error} {error.remedy}")
    if stack.api_base_url != TWILIO_API:
        pytest.skip("the stack that runs here talks to the stand-in; tests/e2e/test_live.py plays that")
    recording = os.environ.get("RECORD")
    return Live(where, stack, person, recording=Path(recording) if recording else None)


def _deployed() -> Where:
    return Where(os.environ.get("STACK") or DEFAULT_NAME, boto3.Session())
