"""Words that a person says, on whatever listens to them."""

import asyncio

from .line import Line
from .media.mouth import Utterance


async def say(line: Line, words: str, confidence: float = 0.95) -> Utterance | None:
    """As audio where a stream answers, else as what the running or next verb hears; None in the latter case.

    Streams that only listen hear the audio too, where there is a voice. Raises ValueError where there is none to answer with.
    """
    if not line.audio.is_connected:
        if line.voice is not None and line.audio.is_heard:
            line.audio.mouth.put(Utterance(words, await asyncio.to_thread(line.voice, words)))
        line.say(words, confidence)
        return None
    if line.voice is None:
        raise ValueError("the stand-in has no voice: people can only make sounds on a stream")
    return line.sound(await asyncio.to_thread(line.voice, words), words)
