"""espeak-ng from the wheel `espeakng-loader`, which needs nothing installed.

Its voice is plain to people and hardly understood by pocketsphinx. Source of the interface: espeak-ng's ``speak_lib.h``.
"""

from __future__ import annotations

import ctypes
import threading
from functools import cache

import espeakng_loader

from twilio_plugin.errors import SpeechUnavailable

_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: sound goes to the callback, and `espeak_Synth` waits for its end
_DONT_EXIT = 0x8000  # espeakINITIALIZE_DONT_EXIT: without its data it would end the process
_UTF8 = 1  # espeakCHARS_UTF8
_WORDS_PER_MINUTE = (1, 150)  # espeakRATE
_ON_SOUND = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)

_one_at_a_time = threading.Lock()  # the library has one voice, and keeps its state in globals


def speak(text: str) -> tuple[int, list[int]]:
    """Samples a second, and the samples. Raises SpeechUnavailable."""
    samples: list[int] = []

    def take(sound: ctypes._Pointer[ctypes.c_short], count: int, _events: int | None) -> int:
        if sound:
            samples.extend(sound[:count])
        return 0

    on_sound, words = _ON_SOUND(take), text.encode()
    with _one_at_a_time:
        library, rate = _library()
        library.espeak_SetSynthCallback(on_sound)
        failed = library.espeak_Synth(words, ctypes.c_size_t(len(words) + 1), 0, 0, 0, _UTF8, None, None)
    if failed:
        raise SpeechUnavailable(f"espeak-ng cannot say this: error {failed}.")
    return rate, samples


@cache
def _library() -> tuple[ctypes.CDLL, int]:
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), _DONT_EXIT)
    if rate <= 0:
        raise SpeechUnavailable("espeak-ng does not find its data.")
    library.espeak_SetVoiceByName(b"en-us")
    library.espeak_SetParameter(*_WORDS_PER_MINUTE, 0)
    return library, rate
