"""A TwiML document of a call, as strictly as Twilio reads it.

Source: https://www.twilio.com/docs/voice/twiml. XML types and ``text/html`` are TwiML, ``text/plain`` is read out, audio is
played; anything else ends in an error, which sends Twilio to the fallback URL. What the schema does not have is a warning
(12200), and ignored.
"""

from dataclasses import dataclass, field
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from .schema import NESTED_ONLY, NOT_PLAYED, SCHEMA

MAX_BYTES = 64 * 1024
_XML_TYPES = frozenset({"text/xml", "application/xml", "text/html"})


class DocumentError(Exception):
    """No document came of it; ``code`` is the alert's. ``reported`` where the alert is there already."""

    def __init__(self, code: int, detail: str, *, reported: bool = False) -> None:
        super().__init__(detail)
        self.code, self.reported = code, reported


@dataclass
class Document:
    """``url`` is what relative URLs are relative to, empty for TwiML that came without one."""

    url: str
    text: str
    verbs: list[Element] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read_document(url: str, content_type: str | None, body: str) -> Document:
    """Read the answer of a webhook that ended in a 2xx. Raises DocumentError."""
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type in _XML_TYPES:
        return read_twiml(url, body)
    if media_type == "text/plain":
        return Document(url, body, [_element("Say", body)])
    if media_type.startswith("audio/"):
        return Document(url, "", [_element("Play", url)])
    raise DocumentError(12300, media_type or "no Content-Type")


def read_twiml(url: str, text: str) -> Document:
    """Read TwiML. Raises DocumentError."""
    if len(text.encode()) > MAX_BYTES:
        raise DocumentError(11750, f"more than {MAX_BYTES} bytes")
    try:
        root = ElementTree.fromstring(text.strip())
    except ElementTree.ParseError as error:
        raise DocumentError(12100, str(error)) from None
    if root.tag != "Response":
        raise DocumentError(12102, f"the root element is <{root.tag}>")
    document = Document(url, text)
    for child in list(root):
        if _is_known(child, document):
            _check(child, document)
            document.verbs.append(child)
    return document


def spoken_text(verb: Element) -> str:
    """The words of a ``<Say>``, those within SSML too."""
    return " ".join("".join(verb.itertext()).split())


def _element(tag: str, text: str) -> Element:
    element = Element(tag)
    element.text = text
    return element


def _is_known(verb: Element, document: Document) -> bool:
    if verb.tag in SCHEMA and verb.tag not in NESTED_ONLY:
        return True
    reason = "is not played by the stand-in" if verb.tag in NOT_PLAYED else "is not a verb of voice"
    document.warnings.append(f"<{verb.tag}> {reason}")
    return False


def _check(verb: Element, document: Document) -> None:
    allowed = SCHEMA[verb.tag]
    for name in sorted(set(verb.attrib) - allowed.attributes):
        document.warnings.append(f"<{verb.tag}> has no attribute {name}")
    if allowed.any_children:
        return
    for child in list(verb):
        if child.tag not in allowed.children:
            document.warnings.append(f"<{child.tag}> is not allowed within <{verb.tag}>")
            verb.remove(child)
        elif child.tag in SCHEMA:
            _check(child, document)
