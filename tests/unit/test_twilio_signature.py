"""Against `twilio.request_validator.RequestValidator`, as Twilio signs: the fields it has, in the URL it was given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from twilio_plugin.adapters.twilio_signature import is_possible, is_signed, is_signed_handshake

TOKEN, PREVIOUS = "a" * 32, "b" * 32
URL = "https://example.com/webhooks/twilio/sms"


class Fields:
    """A form in which a name may stand several times."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._pairs = list(pairs)

    def getlist(self, name: str) -> list[str]:
        return [value for one, value in self._pairs if one == name]

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, _ in self._pairs])

    def __len__(self) -> int:
        return len(self._pairs)


def sign(url: str, fields: Fields, token: str = TOKEN) -> str:
    signature: str = RequestValidator(token).compute_signature(url, fields)
    return signature


tricky = st.text(alphabet=st.one_of(st.sampled_from("aB1+%&=# \n\r\t\x00é👋"), st.characters(exclude_categories=["Cs"])))
pairs = st.lists(st.tuples(tricky.filter(bool), tricky), max_size=6)


@given(pairs)
def test_whatever_twilio_signed_is_signed(fields: list[tuple[str, str]]) -> None:
    form = Fields(fields)
    assert is_signed(sign(URL, form), [URL], form, [TOKEN])


@given(pairs)
def test_a_signature_of_another_account_is_none(fields: list[tuple[str, str]]) -> None:
    form = Fields(fields)
    assert not is_signed(sign(URL, form, "c" * 32), [URL], form, [TOKEN, PREVIOUS])


def test_the_signature_of_twilios_own_documentation_fits() -> None:
    """Twilio, "Webhooks security": the worked example."""
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    fields = {"CallSid": "CA1234567890ABCDE", "Caller": "+14158675310", "Digits": "1234", "From": "+14158675310"}
    form = Fields((fields | {"To": "+18005551212"}).items())

    assert is_signed("GvWf1cFY/Q7PnoempGyD5oXAezc=", [url], form, ["12345"])


@pytest.mark.parametrize("token", [TOKEN, PREVIOUS])
def test_during_a_rotation_both_tokens_count(token: str) -> None:
    form = Fields([("Body", "Hello")])
    assert is_signed(sign(URL, form, token), [URL], form, [TOKEN, PREVIOUS])


def test_any_of_the_urls_may_be_the_one_twilio_called() -> None:
    form = Fields([("Body", "Hello")])
    urls = ["https://one.example.com/sms", "https://two.example.com/sms"]

    for url in urls:
        assert is_signed(sign(url, form), urls, form, [TOKEN])
    assert not is_signed(sign("https://three.example.com/sms", form), urls, form, [TOKEN])


@pytest.mark.parametrize(
    ("signed", "seen"),
    [
        ("https://example.com:443/sms?a=1", "https://example.com/sms?a=1"),
        ("https://example.com/sms?a=1", "https://example.com:443/sms?a=1"),
        ("http://127.0.0.1:80/sms", "http://127.0.0.1/sms"),
        ("http://127.0.0.1/sms", "http://127.0.0.1:80/sms"),
        ("wss://example.com:443/x", "wss://example.com/x"),
        ("wss://example.com/x", "wss://example.com:443/x"),
        ("ws://127.0.0.1:80/x", "ws://127.0.0.1/x"),
    ],
)
def test_the_default_port_may_be_written_or_not(signed: str, seen: str) -> None:
    form = Fields([("Body", "Hello")])
    assert is_signed(sign(signed, form), [seen], form, [TOKEN])


@pytest.mark.parametrize(
    ("signed", "seen"),
    [
        ("https://example.com:8443/sms", "https://example.com/sms"),
        ("https://example.com:80/sms", "https://example.com/sms"),
        ("http://example.com/sms", "https://example.com/sms"),
        ("https://example.com/sms", "https://example.com/sms/"),
        ("https://example.com/sms?a=1", "https://example.com/sms"),
    ],
)
def test_another_address_is_another_signature(signed: str, seen: str) -> None:
    form = Fields([("Body", "Hello")])
    assert not is_signed(sign(signed, form), [seen], form, [TOKEN])


@pytest.mark.parametrize("signature", ["", "x", "é", "\ud83d", "=" * 10_000, "GvWf1cFY/Q7PnoempGyD5oXAezc=\n"])
def test_a_signature_that_is_none_is_refused_and_nothing_raises(signature: str) -> None:
    assert not is_signed(signature, [URL], Fields([("Body", "Hello")]), [TOKEN])


def test_fields_that_are_no_utf8_are_refused_and_nothing_raises() -> None:
    assert not is_signed("x", [URL], Fields([("Body", "\udcff")]), [TOKEN])
    assert not is_signed("x", [URL], Fields([("\udcff", "")]), [TOKEN])


@pytest.mark.parametrize(("urls", "tokens"), [([], [TOKEN]), ([URL], [])])
def test_no_url_or_no_token_is_no_signature(urls: list[str], tokens: list[str]) -> None:
    form = Fields([])
    assert not is_signed(sign(URL, form), urls, form, tokens)


@given(st.text(), st.text())
def test_nothing_a_stranger_writes_into_path_and_signature_raises(path: str, signature: str) -> None:
    assert not is_signed(signature, [f"https://example.com/webhooks/twilio/sms{path}"], Fields([]), [TOKEN])


# ----------------------------------------------------------------------------------------------------------- handshakes

SOCKET = "wss://abc123.execute-api.eu-central-1.amazonaws.com/live"
NO_FIELDS = Fields([])


@pytest.mark.parametrize("configured", ["", "/"])
@pytest.mark.parametrize(
    "signed", [f"{host}/live{slash}" for host in (SOCKET[:-5], f"{SOCKET[:-5]}:443") for slash in ("", "/")]
)
def test_a_handshake_may_be_signed_with_and_without_port_and_slash(configured: str, signed: str) -> None:
    assert is_signed_handshake(sign(signed, NO_FIELDS), [SOCKET + configured], [TOKEN])


@pytest.mark.parametrize("token", [TOKEN, PREVIOUS])
def test_a_handshake_may_be_for_any_of_the_urls_with_any_of_the_tokens(token: str) -> None:
    urls = ["wss://phone.example.com/live", SOCKET]

    assert all(is_signed_handshake(sign(url, NO_FIELDS, token), urls, [TOKEN, PREVIOUS]) for url in urls)


@pytest.mark.parametrize(
    "signed",
    [
        SOCKET.replace("wss", "https"),
        SOCKET.replace("wss", "ws"),
        SOCKET.replace("/live", ":80/live"),
        SOCKET.replace("/live", ":8443/live"),
        SOCKET.replace("/live", "/other"),
        SOCKET.replace("/live", ""),
        f"{SOCKET}//",
        f"{SOCKET}?token=1",
    ],
)
def test_a_handshake_with_another_address_is_refused(signed: str) -> None:
    assert not is_signed_handshake(sign(signed, NO_FIELDS), [SOCKET], [TOKEN])


def test_a_webhooks_signature_opens_no_socket() -> None:
    assert not is_signed_handshake(sign(SOCKET, Fields([("Body", "Hello")])), [SOCKET], [TOKEN])


@given(st.text())
def test_nothing_a_stranger_writes_into_a_handshakes_signature_raises(signature: str) -> None:
    assert not is_signed_handshake(signature, [SOCKET], [TOKEN])


def test_no_token_is_no_handshake() -> None:
    assert not is_signed_handshake(sign(SOCKET, NO_FIELDS), [SOCKET], [])


@pytest.mark.parametrize(
    "signature", ["", "forged", "A" * 28, "A" * 27 + "==", "=" * 28, "A" * 26 + "é=", " " + "A" * 27 + "="]
)
def test_what_is_no_signature_at_all_is_known_without_a_token(signature: str) -> None:
    assert not is_possible(signature)


def test_every_signature_of_twilios_is_possible_and_none_of_what_is_no_text() -> None:
    for token in (TOKEN, PREVIOUS):
        assert is_possible(sign(SOCKET, Fields([("Body", "Grüße 👋")]), token), Fields([("Body", "Grüße 👋")]))
    assert not is_possible(sign(SOCKET, NO_FIELDS), Fields([("Body", "\udcff")]))
    assert not is_possible(sign(SOCKET, NO_FIELDS), Fields([("\udcff", "Body")]))
