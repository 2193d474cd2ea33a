"""Attributes of a verb as numbers, flags and choices; what cannot be read is a warning, and the default holds."""

from collections.abc import Collection
from xml.etree.ElementTree import Element

from ..session import Session


def number(session: Session, verb: Element, name: str, default: float) -> float:
    """Seconds or a count, not negative."""
    text = verb.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1
    if value < 0:
        session.warn(f"{name}={text!r} of <{verb.tag}> is not a number")
        return default
    return value


def flag(session: Session, verb: Element, name: str, default: bool) -> bool:
    """``true`` or ``false``."""
    text = verb.get(name, str(default)).lower()
    if text not in {"true", "false"}:
        session.warn(f"{name}={text!r} of <{verb.tag}> is neither true nor false")
        return default
    return text == "true"


def choice(session: Session, verb: Element, name: str, default: str, known: Collection[str]) -> str:
    """One of some words."""
    text = verb.get(name, default)
    if text not in known:
        session.warn(f"{name}={text!r} of <{verb.tag}> is not one of {', '.join(known)}")
        return default
    return text
