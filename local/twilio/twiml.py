"""What a webhook's answer tells Twilio to text, and what Twilio finds wrong with it.

Source: https://www.twilio.com/docs/messaging/twiml. XML types and ``text/html`` are read as TwiML; ``text/plain`` is texted
to the person as it is.
"""

from dataclasses import dataclass, field
from xml.etree import ElementTree

_XML_TYPES = frozenset({"text/xml", "application/xml", "text/html"})


@dataclass
class Reply:
    """One ``<Message>``; ``to``, ``from_`` and ``status_callback`` are None where the document leaves them to Twilio."""

    body: str | None
    media_urls: list[str] = field(default_factory=list)
    to: str | None = None
    from_: str | None = None
    status_callback: str | None = None


@dataclass
class Document:
    """The replies in order, and (alert code, detail) for each thing that Twilio would complain about."""

    replies: list[Reply] = field(default_factory=list)
    complaints: list[tuple[int, str]] = field(default_factory=list)


def read_answer(content_type: str | None, body: str) -> Document:
    """Read the answer of a webhook that ended in a 2xx. An empty one without an XML type means: no reply."""
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type in _XML_TYPES:
        return _read_twiml(body)
    if not body:
        return Document()
    if media_type == "text/plain":
        return Document(replies=[Reply(body=body)])
    return Document(complaints=[(12300, media_type or "no Content-Type")])


def _read_twiml(text: str) -> Document:
    try:
        root = ElementTree.fromstring(text.strip())
    except ElementTree.ParseError as error:
        return Document(complaints=[(12100, str(error))])
    if root.tag != "Response":
        return Document(complaints=[(12200, f"<{root.tag}> is not <Response>")])
    document = Document()
    for verb in root:
        if verb.tag in {"Message", "Sms"}:
            document.replies.append(_reply(verb))
        elif verb.tag == "Redirect":
            document.complaints.append((12200, "the stand-in does not follow <Redirect>"))
        else:
            document.complaints.append((12200, f"<{verb.tag}> is not a verb of messaging"))
    return document


def _reply(verb: ElementTree.Element) -> Reply:
    texts = [verb.text or "", *(child.text or "" for child in verb if child.tag == "Body")]
    body = "".join(texts).strip()
    return Reply(
        body=body or None,
        media_urls=[(child.text or "").strip() for child in verb if child.tag == "Media"],
        to=verb.get("to"),
        from_=verb.get("from"),
        status_callback=verb.get("statusCallback") or verb.get("action"),
    )
