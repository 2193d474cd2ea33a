"""Types of media: which ones go in and out, and whether bytes are what their type says.

Twilio, "Accepted content types for media" and "WhatsApp media messages". A type is believed by its family, because carriers
call a PNG a JPEG and nobody minds; a page or a program that calls itself a picture is what this is about.
"""

from __future__ import annotations

from typing import Literal

Family = Literal["image", "audio", "video", "text", "document"]

HEAD_BYTES = 512  # what `fits` wants to see

_IMAGES = {"bmp", "gif", "heic", "heif", "jpeg", "jpg", "png", "tiff", "webp"}
_TEXTS = {"calendar", "csv", "directory", "plain", "rtf", "vcard", "x-vcard"}
_DOCUMENTS = {"msword", "pdf", "rtf", "vcard", "vnd.ms-excel", "vnd.ms-powerpoint"}
_OFFICE = "vnd.openxmlformats-officedocument."

# By the first bytes. ISO media ("ftyp" at 4) and RIFF are several families at once.
_BEGINNINGS: dict[Family, tuple[bytes, ...]] = {
    "image": (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM", b"II*\x00", b"MM\x00*"),
    "audio": (b"ID3", b"\xff\xf1", b"\xff\xf3", b"\xff\xf9", b"\xff\xfa", b"\xff\xfb", b"OggS", b"#!AMR", b".snd", b"fLaC"),
    "video": (b"\x1a\x45\xdf\xa3", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"OggS"),
    "document": (b"%PDF-", b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"{\\rtf"),
}
_ISO_MEDIA: tuple[Family, ...] = ("image", "audio", "video")
_RIFF: dict[bytes, Family] = {b"WEBP": "image", b"WAVE": "audio", b"AVI ": "video"}
_MARKUP = (b"<!doctype", b"<html", b"<script", b"<svg", b"<?xml")


def family(content_type: str) -> Family | None:
    """The family of a type that is let in; None for every other one, ``image/svg+xml`` too, which is a program."""
    kind, _, name = content_type.partition(";")[0].strip().lower().partition("/")
    if kind == "image":
        return "image" if name in _IMAGES else None
    if kind == "audio" and name:
        return "audio"
    if kind == "video" and name:
        return "video"
    if kind == "text" and name in _TEXTS:
        return "text"
    if kind == "application" and (name in _DOCUMENTS or name.startswith(_OFFICE)):
        return "text" if name == "vcard" else "document"
    return None


def fits(content_type: str, head: bytes) -> bool:
    """Whether the first `HEAD_BYTES` are of the type's family."""
    kind = family(content_type)
    if kind is None or not head:
        return False
    if kind == "text":
        return b"\x00" not in head and not head.lstrip().lower().startswith(_MARKUP)
    if head[4:8] == b"ftyp":
        return kind in _ISO_MEDIA
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12]) == kind
    return head.startswith(_BEGINNINGS[kind])
