from __future__ import annotations

import pytest

from local.callers import SAID, caller
from twilio_plugin.adapters.voice_activity import WebRtcVoiceActivity
from twilio_plugin.domain.audio import FRAME_BYTES, SILENCE, decode


def voiced(audio: bytes) -> list[bool]:
    activity = WebRtcVoiceActivity()
    whole = len(audio) - len(audio) % FRAME_BYTES
    return [activity.is_voiced(decode(audio[at : at + FRAME_BYTES])) for at in range(0, whole, FRAME_BYTES)]


@pytest.mark.parametrize("name", SAID)
def test_a_voice_is_heard(name: str) -> None:
    windows = voiced(caller(name))

    assert sum(windows) > 0.7 * len(windows)


def test_silence_is_not_a_voice() -> None:
    assert not any(voiced(SILENCE * 8000))


def test_silence_after_a_voice_is_not_a_voice_for_long() -> None:
    silence = voiced(caller("yes") + SILENCE * 8000)[-50:]

    assert not any(silence[15:])


def test_two_streams_do_not_hear_each_other() -> None:
    alone = voiced(caller("no"))
    other, activity = WebRtcVoiceActivity(), WebRtcVoiceActivity()
    together = []
    for at in range(0, len(alone) * FRAME_BYTES, FRAME_BYTES):
        other.is_voiced(decode(caller("story")[at : at + FRAME_BYTES]))
        together.append(activity.is_voiced(decode(caller("no")[at : at + FRAME_BYTES])))

    assert together == alone


def test_a_window_of_another_length_is_refused() -> None:
    with pytest.raises(Exception, match="frame"):
        WebRtcVoiceActivity().is_voiced(b"\x01" * 100)
