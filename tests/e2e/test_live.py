"""The live tests with the stand-in for Twilio and a person who answers and texts back: what runs there runs here."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest

from local.engine import ACCOUNT, REGION
from local.recorder import Recorder
from local.stack import STACK_NAME
from local.twilio.voice.phones import Answers
from tests.e2e.conftest import Phone
from tests.live.line import Live
from tests.live.test_conversation import (  # noqa: F401  they run here, with the fixture below
    test_first_a_text_goes_out,
    test_second_a_call_goes_out,
    test_third_a_text_comes_back,
)
from tests.live.test_settles import (  # noqa: F401
    streamed,
    test_1_which_url_twilio_signs_for_a_socket,
    test_2_whether_frames_get_lost_or_overtake_one_another_for_good,
    test_3_how_long_the_way_there_and_back_takes,
    test_4_whether_twilio_takes_messages_of_several_frames,
    test_6_how_the_signatures_header_is_spelt,
    test_9_what_it_costs_and_what_the_account_may_do,
)
from tools.doctor.stack import Stack, Where


@pytest.fixture(scope="module")
def live(phone: Phone, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A person who does as they are asked, and a recording of it."""
    session = boto3.Session(aws_access_key_id=ACCOUNT, aws_secret_access_key="local", region_name=REGION)
    where, person = Where(STACK_NAME, session, phone.stack.engine.url), phone.person()
    phone.twilio.phones[person] = Answers()
    recording: Path = tmp_path_factory.mktemp("recording")
    phone.stack.front.recorder = Recorder(recording, phone.stack.account.auth_token)
    answering = threading.Thread(target=_texts_back, args=(phone, person))
    answering.start()
    yield Live(where, Stack(where, since=datetime.now(UTC)), person, recording=recording)
    phone.stack.front.recorder = None
    answering.join()


def _texts_back(phone: Phone, person: str) -> None:
    phone.twilio.wait_for_text(person, timeout=30)
    phone.twilio.wait_for_call(person, timeout=30).wait_until_ended(30)
    time.sleep(0.2)
    phone.twilio.receive_text(person, "It works!")


def test_the_recording_has_everything_and_nobody(phone: Phone, live: Live) -> None:
    assert live.recording
    kinds = {file.name.partition("-")[2] for file in live.recording.iterdir()}
    text = "".join(file.read_text() for file in live.recording.iterdir())

    assert {"sms.json", "status.json", "voice.json", "socket.jsonl"} <= kinds
    for private in (live.person, live.person[1:], phone.ours[1:], "It works!", phone.stack.account.account_sid):
        assert private not in text
    assert all(exchange["signed"] for exchange in live.exchanges()), "all of it was signed, over a form that was found"
