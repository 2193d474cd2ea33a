"""What audio says, by the engine that the local stack hears with."""

from __future__ import annotations

import os
import re
import subprocess

from local.engine import ROOT

_SCRIPT = """
import sys, time
from local_speech.pocketsphinx import PocketsphinxTranscriber
turn = PocketsphinxTranscriber(language="en-US").begin()
turn.write(sys.stdin.buffer.read())
turn.finish()
while (said := turn.result()) is None:
    time.sleep(0.02)
print(said.text)
"""


def understood(audio: bytes) -> str:
    """The words of some µ-law."""
    path = os.pathsep.join([str(ROOT / "layers" / "twilio_plugin"), str(ROOT / "local" / "speech")])
    ran = subprocess.run(
        [str(ROOT / ".local" / "engine" / "bin" / "python"), "-c", _SCRIPT],
        input=audio,
        capture_output=True,
        check=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": path},
    )
    return ran.stdout.decode().strip()


def words(text: str) -> list[str]:
    """Without what only writing has."""
    return re.findall(r"[a-z']+", text.lower())
