"""What a call is to do, as TwiML or as the URL of some."""

from __future__ import annotations

from twilio_plugin.domain import twiml
from twilio_plugin.errors import InvalidRequest

MAX_TWIML = 4000  # characters of a document in a request


def document_or_url(
    words: str | None, document: str | None, url: str | None, *then: twiml.Verb, first: twiml.Verb | None = None
) -> tuple[str | None, str | None]:
    """What a person is to hear, as TwiML or as a URL; neither where nothing was given. After words comes `then`.

    What comes `first` is always TwiML: a URL is then where it leads.

    Raises:
        InvalidRequest: more than one of the three was given, or words that nobody can speak, or `first` does not fit in.
    """
    if sum(one is not None for one in (words, document, url)) > 1:
        raise InvalidRequest("Give only one of `say`, `twiml` and `url`: it is what the person hears.")
    if words is not None:
        return spoken_document("say", words, *then, first=first), None
    if first is not None and document is not None:
        return _fitting("twiml", twiml.begin_with(first, document)), None
    if first is not None and url is not None:
        return _fitting("url", twiml.document(first, twiml.redirect(url))), None
    return document, url


def spoken_document(field: str, words: str, *then: twiml.Verb, first: twiml.Verb | None = None) -> str:
    """A document that says the words of a field, small enough for a request.

    Raises:
        InvalidRequest: they are not to be spoken, or too many; the message names the field.
    """
    if not twiml.spoken(words):
        raise InvalidRequest(f"`{field}` holds nothing that can be spoken.")
    return _fitting(field, twiml.document(first, twiml.say(words), *then))


def _fitting(field: str, document: str) -> str:
    if len(document) > MAX_TWIML:
        raise InvalidRequest(
            f"`{field}` is too long: as TwiML it has {len(document)} characters, and Twilio takes {MAX_TWIML}."
        )
    return document
