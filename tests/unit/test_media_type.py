from __future__ import annotations

import pytest

from twilio_plugin.domain.media_type import family, fits

PNG, JPEG, PDF = b"\x89PNG\r\n\x1a\n....", b"\xff\xd8\xff\xe0..JFIF", b"%PDF-1.7"
MP4, WEBP, WAVE = b"\x00\x00\x00\x18ftypmp42", b"RIFF....WEBPVP8 ", b"RIFF....WAVEfmt "


@pytest.mark.parametrize(
    ("content_type", "head"),
    [
        ("image/png", PNG),
        ("image/jpeg", JPEG),
        ("image/jpeg", PNG),  # carriers do that
        ("IMAGE/JPG; name=a", JPEG),
        ("image/webp", WEBP),
        ("image/heic", MP4),
        ("video/mp4", MP4),
        ("video/3gpp", MP4),
        ("audio/mp4", MP4),
        ("audio/wav", WAVE),
        ("audio/ogg", b"OggS...."),
        ("audio/amr", b"#!AMR\n"),
        ("audio/mpeg", b"ID3\x04"),
        ("application/pdf", PDF),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", b"PK\x03\x04"),
        ("text/vcard", b"BEGIN:VCARD\r\n"),
        ("text/plain", "naïve".encode()),
    ],
)
def test_what_people_send_is_what_it_says(content_type: str, head: bytes) -> None:
    assert fits(content_type, head)


@pytest.mark.parametrize(
    ("content_type", "head"),
    [
        ("image/png", b"<html><script>"),
        ("image/png", b"MZ\x90\x00"),
        ("image/png", PDF),
        ("image/png", WAVE),
        ("image/png", b""),
        ("audio/mpeg", PNG),
        ("application/pdf", b"\x7fELF"),
        ("application/pdf", MP4),
        ("text/plain", b"\x00\x01\x02"),
        ("text/plain", b"  <!DOCTYPE html><html>"),
        ("text/vcard", b"<svg onload="),
        ("video/mp4", b"RIFF....WEBP"),
    ],
)
def test_what_is_something_else_does_not_fit(content_type: str, head: bytes) -> None:
    assert not fits(content_type, head)


@pytest.mark.parametrize(
    "content_type",
    [
        "image/svg+xml",
        "text/html",
        "application/javascript",
        "application/octet-stream",
        "application/zip",
        "image",
        "",
        "audio/",
    ],
)
def test_what_nobody_sends_has_no_family(content_type: str) -> None:
    assert family(content_type) is None
    assert not fits(content_type, PNG)
