"""Voice activity by WebRTC's detector: a small model of speech and noise in six bands, about 2 µs a window."""

from __future__ import annotations

import random
import struct

import webrtcvad

from twilio_plugin.domain.audio import FRAME_BYTES, SAMPLE_RATE

# Of 0 to 3. Modes 0 and 1 find the same in soft speech, 2 and 3 lose a part of it; none of them keeps out steady noise from
# about -40 dBFS on, `domain.noise` does.
_AGGRESSIVENESS = 1
# What a quiet line sounds like. From digital silence the detector learns nothing, and takes soft speech after it for noise.
_chance = random.Random("a quiet line")  # noqa: S311  (the same for everybody)
_QUIET_LINE = struct.pack(f"<{FRAME_BYTES}h", *(round(_chance.gauss(0, 8)) for _ in range(FRAME_BYTES)))


class WebRtcVoiceActivity:
    """Whether somebody speaks, for one stream: the detector remembers what it has heard."""

    def __init__(self) -> None:
        self._detector = webrtcvad.Vad(_AGGRESSIVENESS)

    def is_voiced(self, pcm: bytes) -> bool:
        """20 ms at 8,000 samples a second, 16-bit."""
        if any(pcm):
            return bool(self._detector.is_speech(pcm, SAMPLE_RATE))
        self._detector.is_speech(_QUIET_LINE, SAMPLE_RATE)
        return False
