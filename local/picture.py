"""A call as a picture: both sides' waveforms, one above the other, with their turns marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from twilio_plugin.domain.audio import BYTES_PER_SECOND, decode

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_SCALE = 2  # drawn twice as large and shown half, for displays that can
_PIXELS_PER_SECOND = 60 * _SCALE
_LANE = 130 * _SCALE
_TEXT = 13 * _SCALE
_MARGIN = 60 * _SCALE  # left and right
_EDGE = 24 * _SCALE  # above and below
_INK, _PAPER, _FAINT = (32, 36, 44), (255, 255, 255), (224, 228, 234)
_COLOURS = {"wave": (58, 110, 190), "turn": (232, 240, 252), "interrupted": (252, 226, 222)}
_SAMPLES = BYTES_PER_SECOND / _PIXELS_PER_SECOND  # a column


@dataclass(frozen=True, slots=True)
class Turn:
    """Words, and where on the time line they are, in seconds."""

    starts: float
    ends: float
    words: str
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Side:
    """One side of the call. `audio` is µ-law from the beginning of the stream."""

    name: str
    audio: bytes
    turns: Sequence[Turn]


def draw_call(sides: Sequence[Side], path: Path, *, title: str) -> None:
    """Write a PNG."""
    seconds = max(len(side.audio) / BYTES_PER_SECOND for side in sides)
    width = 2 * _MARGIN + round(seconds * _PIXELS_PER_SECOND)
    image = Image.new("RGB", (width, 3 * _EDGE + len(sides) * _LANE), _PAPER)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(_TEXT)
    draw.text((_MARGIN, _EDGE // 2), title, _INK, font)
    for number, side in enumerate(sides):
        _lane(draw, font, side, top=2 * _EDGE + number * _LANE, right=width - _MARGIN)
    _seconds(draw, font, seconds, bottom=image.height - _EDGE)
    image.save(path, optimize=True)


def _lane(draw: ImageDraw.ImageDraw, font: _Font, side: Side, *, top: int, right: int) -> None:
    middle, half = top + _LANE // 2 + _TEXT // 2, _LANE // 2 - _TEXT
    for turn in side.turns:
        kind = "interrupted" if turn.interrupted else "turn"
        left = _x(turn.starts)
        draw.rectangle((left, top, max(_x(turn.ends), left + 2), top + _LANE - _TEXT // 2), _COLOURS[kind])
    draw.line((_MARGIN, middle, right, middle), _FAINT, _SCALE)
    _wave(draw, decode(side.audio), middle, half)
    draw.text((6 * _SCALE, top), side.name, _INK, font)
    for turn in side.turns:
        draw.text((_x(turn.starts) + 3 * _SCALE, top), _fitting(draw, font, turn, side.turns, right), _INK, font)


def _wave(draw: ImageDraw.ImageDraw, pcm: bytes, middle: int, half: int) -> None:
    samples = memoryview(pcm).cast("h")
    for column in range(int(len(samples) / _SAMPLES)):
        loudest = max(map(abs, samples[int(column * _SAMPLES) : int((column + 1) * _SAMPLES)]), default=0)
        height = loudest * half // 32768
        if height:
            draw.line((_MARGIN + column, middle - height, _MARGIN + column, middle + height), _COLOURS["wave"])


def _fitting(draw: ImageDraw.ImageDraw, font: _Font, turn: Turn, turns: Sequence[Turn], right: int) -> str:
    """The words, cut off before the next turn's begin."""
    following = [_x(other.starts) for other in turns if other.starts > turn.starts]
    room = min([right, *following]) - _x(turn.starts) - 6 * _SCALE
    words = turn.words
    while words and draw.textlength(words, font) > room:
        words = words.removesuffix("…")[:-1].rstrip() + "…" if len(words) > 2 else ""
    return words


def _seconds(draw: ImageDraw.ImageDraw, font: _Font, seconds: float, *, bottom: int) -> None:
    for second in range(0, int(seconds) + 1, 5):
        draw.line((_x(second), 2 * _EDGE, _x(second), bottom), _FAINT, 1)
        draw.text((_x(second) + 2 * _SCALE, bottom), f"{second} s", _INK, font)


def _x(second: float) -> int:
    return _MARGIN + round(second * _PIXELS_PER_SECOND)
