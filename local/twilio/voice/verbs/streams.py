"""``<Connect>``, ``<Start>`` and ``<Stop>`` with ``<Stream>``, and with what else may stand in them.

Source: https://www.twilio.com/docs/voice/twiml/stream. What ``<Say>`` speaks is words here, so an outbound track has
only what another stream plays.
"""

from xml.etree.ElementTree import Element

from ..media.noun import read_noun
from ..media.stream import MediaStream
from ..session import Outcome, Session
from .recording import start_recording, stop_recording
from .relay import relay
from .transcription import start_transcription, stop_transcription

MAX_FORKS = 4


async def connect(session: Session, verb: Element) -> Outcome:
    """Talk with our side until it closes the socket, and go on at ``action`` or with the next verb."""
    if (words := verb.find("ConversationRelay")) is not None:
        return await relay(session, verb, words)
    after = session.source(verb, {}) if verb.get("action") is not None else None
    noun = verb.find("Stream")
    if noun is None:
        session.warn("<Connect> without <Stream>")
        return after
    stream = MediaStream(session.line, session.network, read_noun(session, noun, two_way=True))
    session.network.start(stream.run())
    try:
        await stream.over.wait()
    finally:
        stream.stop()
    if stream.record.began_at is not None:
        session.has_sounded()
    return after


async def start(session: Session, verb: Element) -> Outcome:
    """Have our side listen, or record or transcribe, from now on; the next verb follows at once."""
    for noun in verb.findall("Recording"):
        start_recording(session, noun)
    for noun in verb.findall("Transcription"):
        start_transcription(session, noun)
    forks = session.line.forks
    for noun in verb.findall("Stream"):
        stream = MediaStream(session.line, session.network, read_noun(session, noun, two_way=False))
        running = {name for name, fork in forks.items() if not fork.over.is_set()}
        if len(running) >= MAX_FORKS or stream.record.name in running:
            session.warn(f"<Stream> {stream.record.name}: its name is taken, or there are {MAX_FORKS} already")
            continue
        forks[stream.record.name] = stream
        session.network.start(stream.run())
    return None


async def stop(session: Session, verb: Element) -> Outcome:
    """End what was started, by its name."""
    for noun in verb.findall("Recording"):
        stop_recording(session, noun)
    for noun in verb.findall("Transcription"):
        stop_transcription(session, noun)
    for noun in verb.findall("Stream"):
        fork = session.line.forks.get(noun.get("name", ""))
        if fork is None or fork.over.is_set():
            session.warn(f"<Stop> of a stream {noun.get('name')!r} that does not run")
        else:
            fork.stop()
    return None
