"""``<Start><Transcription>`` and ``<Stop><Transcription>``: https://www.twilio.com/docs/voice/twiml/transcription."""

from xml.etree.ElementTree import Element

from ..session import Session
from ..transcriptions import TRACKS, NewTranscription, begin, running
from .attributes import choice, flag


def start_transcription(session: Session, noun: Element) -> None:
    """Begin; the next verb follows at once. Raises DocumentError for a callback that is no URL."""
    name, callback = noun.get("name", ""), noun.get("statusCallbackUrl")
    if name and running(session.line, name):
        session.warn(f"<Transcription> {name!r} runs already")
        return
    asked = NewTranscription(
        name=name,
        track=choice(session, noun, "track", "both_tracks", TRACKS),
        callback=session.url(callback) if callback else None,
        callback_method=noun.get("statusCallbackMethod", "POST").upper(),
        partial_results=flag(session, noun, "partialResults", False),
        language=noun.get("languageCode", "en-US"),
        engine=noun.get("transcriptionEngine", "google"),
    )
    begin(session.line, session.network, asked)


def stop_transcription(session: Session, noun: Element) -> None:
    """End one by its name."""
    transcription = running(session.line, noun.get("name", ""))
    if transcription is None:
        session.warn(f"<Stop> of a transcription {noun.get('name')!r} that does not run")
    else:
        transcription.stop()
