"""The whole way of a webhook through `webhook` and the real signature check; Twilio's side is `RequestValidator`."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlencode

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.unit.fakes import LambdaContext
from tests.unit.test_twilio_signature import PREVIOUS, TOKEN, Fields, pairs, sign
from twilio_plugin.adapters.twilio_signature import is_signed
from twilio_plugin.errors import Misconfigured, PluginError, StorageUnavailable, UnreadableWebhook
from twilio_plugin.runtime.http import EMPTY_TWIML, Form, Response, no_content, twiml, webhook

PUBLIC = "https://example.com/webhooks/twilio"
DOMAIN = "abc123.execute-api.eu-central-1.amazonaws.com"
FIELDS = [("Body", "Hello & goodbye"), ("From", "+14155550123"), ("MessageSid", "SM1")]
ANSWER: Response = {"statusCode": 200, "headers": {"x-this": "answer"}, "body": "exactly"}


@dataclass
class Endpoint:
    """A webhook, and what its use case was called with."""

    public_url: str = PUBLIC
    trouble: Exception | None = None
    admits_source: Callable[[str], bool] = lambda _: True
    called: list[tuple[Form, Mapping[str, str]]] = field(default_factory=list)

    def __call__(self, event: Any) -> Response:
        def use_case(form: Form, query: Mapping[str, str]) -> None:
            self.called.append((form, query))
            if self.trouble:
                raise self.trouble

        def check(signature: str, urls: Iterable[str], form: Form) -> bool:
            return is_signed(signature, urls, form, [TOKEN, PREVIOUS])

        return webhook(use_case, check, self.public_url, ANSWER, admits_source=self.admits_source)(event, LambdaContext())


def request(
    body: str,
    signature: str | None,
    *,
    path: str = "/webhooks/twilio/sms",
    query: str = "",
    is_base64: bool = True,
    content_type: str | None = "application/x-www-form-urlencoded",
) -> dict[str, Any]:
    """An event of API Gateway's, payload format 2.0. A plain body is one that API Gateway took for text."""
    headers = {"host": DOMAIN, "content-type": content_type, "x-twilio-signature": signature}
    return {
        "version": "2.0",
        "routeKey": f"POST {path}",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {name: value for name, value in headers.items() if value is not None},
        "requestContext": {"domainName": DOMAIN, "http": {"method": "POST", "path": path}},
        "body": base64.b64encode(body.encode("utf-8", "surrogateescape")).decode() if is_base64 else body,
        "isBase64Encoded": is_base64,
    }


def signed(fields: list[tuple[str, str]] = FIELDS, *, url: str = f"{PUBLIC}/sms", token: str = TOKEN, **event: Any) -> Any:
    """As Twilio sends it: the fields signed as they are, then encoded into the body."""
    return request(urlencode(fields), sign(url, Fields(fields), token), **event)


def from_source(event: Any, address: str) -> Any:
    """As it comes from an address."""
    event["requestContext"]["http"] |= {"sourceIp": address}
    return event


def test_a_request_from_another_source_is_refused_though_twilio_signed_it() -> None:
    endpoint = Endpoint(admits_source=lambda address: address == "203.0.113.7")
    forwarded = from_source(signed(), "198.51.100.7")
    forwarded["headers"] |= {"x-forwarded-for": "203.0.113.7", "forwarded": "for=203.0.113.7"}

    refused(endpoint, from_source(signed(), "198.51.100.7"), 403, "SourceNotAllowed")
    refused(endpoint, forwarded, 403, "SourceNotAllowed")
    refused(endpoint, signed(), 403, "SourceNotAllowed")
    refused(endpoint, from_source(request(urlencode(FIELDS), None), "203.0.113.7"), 403, "InvalidSignature")
    assert endpoint(from_source(signed(), "203.0.113.7"))["statusCode"] == 200


def refused(endpoint: Endpoint, event: Any, status: int, error: str) -> None:
    answer = endpoint(event)

    assert (answer["statusCode"], json.loads(answer["body"])["error"]) == (status, error)
    assert answer["headers"] == {"content-type": "application/json"}
    assert endpoint.called == []


# ------------------------------------------------------------------------------------------------------------ accepted


def test_what_twilio_signed_reaches_the_use_case_and_gets_exactly_the_given_answer() -> None:
    endpoint = Endpoint()

    assert endpoint(signed()) == ANSWER

    ((form, query),) = endpoint.called
    assert dict(form) == dict(FIELDS)
    assert query == {}


def test_what_the_use_case_answers_goes_before_the_given_answer() -> None:
    own: Response = {"statusCode": 200, "body": "its own"}
    handler = webhook(lambda *_: own, lambda *_: True, PUBLIC, ANSWER, admits_source=lambda _: True)

    assert handler(signed(), LambdaContext()) == own


@pytest.mark.parametrize("trouble", [StorageUnavailable("down"), Misconfigured("wrong"), RuntimeError("a bug")])
def test_where_something_must_be_answered_whatever_happens_it_is_the_given_answer(trouble: Exception) -> None:
    def use_case(_form: Form, _query: Mapping[str, str]) -> Response:
        raise trouble

    handler = webhook(use_case, lambda *_: True, PUBLIC, ANSWER, admits_source=lambda _: True, whatever_happens=True)

    assert handler(signed(), LambdaContext()) == ANSWER


raw_queries = st.one_of(
    st.just(""),
    st.lists(st.tuples(st.sampled_from(["send", "part", "a b", "é"]), st.text(st.characters(exclude_categories=["Cs"])))).map(
        urlencode
    ),
    st.text("abc=&%+;/?:@-._~!$'()*,", max_size=30),
)


@given(
    fields=pairs,
    query=raw_queries,
    is_base64=st.booleans(),
    encode=st.sampled_from([quote_plus, quote]),
    origin=st.sampled_from(
        [
            PUBLIC,
            "https://example.com:443/webhooks/twilio",
            f"https://{DOMAIN}/webhooks/twilio",
            f"https://{DOMAIN}:443/webhooks/twilio",
        ]
    ),
    path=st.sampled_from(["/sms", "/status", "/voice/x"]),
    token=st.sampled_from([TOKEN, PREVIOUS]),
)
def test_whatever_twilio_signs_is_accepted_and_read_as_it_was_meant(
    fields: list[tuple[str, str]], query: str, is_base64: bool, encode: Any, origin: str, path: str, token: str
) -> None:
    endpoint = Endpoint()
    url = f"{origin}{path}" + (f"?{query}" if query else "")
    event = request(
        urlencode(fields, quote_via=encode),
        sign(url, Fields(fields), token),
        path=f"/webhooks/twilio{path}",
        query=query,
        is_base64=is_base64,
    )

    assert endpoint(event) == ANSWER

    ((form, parsed_query),) = endpoint.called
    assert {name: form.getlist(name) for name in form} == {name: Fields(fields).getlist(name) for name, _ in fields}
    assert all(form[name] == Fields(fields).getlist(name)[0] for name in form)
    assert parsed_query == dict(parse_qsl(query))


def test_a_name_that_stands_twice_reads_as_its_first_value_and_gives_all() -> None:
    endpoint = Endpoint()
    endpoint(signed([("A", "2"), ("A", "1"), ("B", "")]))

    ((form, _),) = endpoint.called
    assert (form["A"], form.getlist("A"), form["B"], list(form), len(form)) == ("2", ["2", "1"], "", ["A", "B"], 2)
    assert form.get("C") is None


def test_a_public_url_below_a_path_of_its_own_is_what_twilio_signs() -> None:
    endpoint = Endpoint(public_url="https://tunnel.example.com/phone/webhooks/twilio")

    assert endpoint(signed(url="https://tunnel.example.com/phone/webhooks/twilio/sms")) == ANSWER


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded; charset=UTF-8",
        "Application/X-WWW-Form-Urlencoded",
        "application/x-www-form-urlencoded ",
    ],
)
def test_a_content_type_may_carry_a_charset_and_any_case(content_type: str) -> None:
    assert Endpoint()(signed(content_type=content_type)) == ANSWER


def test_header_names_count_in_any_case() -> None:
    event = signed()
    event["headers"] = {name.title(): value for name, value in event["headers"].items()}

    assert Endpoint()(event) == ANSWER


def test_what_is_signed_but_empty_goes_to_the_use_case() -> None:
    endpoint = Endpoint()

    assert endpoint(signed([])) == ANSWER
    assert len(endpoint.called[0][0]) == 0


# ------------------------------------------------------------------------------------------------------------- refused


@given(
    fields=pairs.filter(bool),
    is_base64=st.booleans(),
    at=st.integers(min_value=0),
    byte=st.integers(min_value=0, max_value=127),
)
def test_any_changed_byte_that_changes_a_field_is_refused(
    fields: list[tuple[str, str]], is_base64: bool, at: int, byte: int
) -> None:
    endpoint = Endpoint()
    body = urlencode(fields)
    at %= len(body)
    forged = body[:at] + chr(byte) + body[at + 1 :]
    assume(meaning(forged) != meaning(body))

    refused(endpoint, request(forged, sign(f"{PUBLIC}/sms", Fields(fields)), is_base64=is_base64), 403, "InvalidSignature")


def meaning(body: str) -> object:
    """What a signature covers: the values of every name, each once. None where the body is no form."""
    try:
        decoded = parse_qsl(body, keep_blank_values=True, strict_parsing=True, errors="surrogateescape")
    except ValueError:
        return None
    return {name: {value for one, value in decoded if one == name} for name, _ in decoded}


@pytest.mark.parametrize(
    "change",
    [
        {"path": "/webhooks/twilio/status"},
        {"path": "/webhooks/twilio/sms/"},
        {"path": "/webhooks/twilio"},
        {"path": "/elsewhere"},
        {"path": ""},
        {"query": "send=other"},
        {"query": "a"},
    ],
    ids=str,
)
def test_another_path_or_query_is_refused(change: dict[str, Any]) -> None:
    refused(Endpoint(), signed(**change), 403, "InvalidSignature")


def test_a_query_that_was_taken_away_is_refused() -> None:
    event = signed(url=f"{PUBLIC}/sms?send=key", query="send=key")
    assert Endpoint()(event) == ANSWER

    refused(Endpoint(), event | {"rawQueryString": ""}, 403, "InvalidSignature")


def test_a_request_without_a_signature_is_refused() -> None:
    refused(Endpoint(), request(urlencode(FIELDS), None), 403, "InvalidSignature")
    refused(Endpoint(), request(urlencode(FIELDS), ""), 403, "InvalidSignature")


@pytest.mark.parametrize("signature", ["x", "é", "\ud83d", "GvWf1cFY/Q7PnoempGyD5oXAezc="])
def test_a_signature_that_does_not_fit_is_refused(signature: str) -> None:
    refused(Endpoint(), request(urlencode(FIELDS), signature), 403, "InvalidSignature")


def test_a_signature_with_another_token_is_refused() -> None:
    refused(Endpoint(), signed(token="c" * 32), 403, "InvalidSignature")


def test_an_empty_body_without_its_own_signature_is_refused() -> None:
    event = signed()
    refused(Endpoint(), event | {"body": ""}, 403, "InvalidSignature")
    refused(Endpoint(), {name: value for name, value in event.items() if name != "body"}, 403, "InvalidSignature")


@pytest.mark.parametrize("content_type", [None, "", "application/json", "multipart/form-data; boundary=x", "text/plain"])
def test_another_content_type_is_refused(content_type: str | None) -> None:
    refused(Endpoint(), signed(content_type=content_type), 415, "UnsupportedContent")


@pytest.mark.parametrize("is_base64", [True, False])
def test_more_than_128_kb_is_refused_and_less_is_not(is_base64: bool) -> None:
    size = 128 * 1024

    assert Endpoint()(signed([("Body", "a" * (size - 10))], is_base64=is_base64)) == ANSWER
    refused(Endpoint(), signed([("Body", "a" * size)], is_base64=is_base64), 413, "WebhookTooLarge")


def test_more_than_500_fields_are_refused_and_500_are_not() -> None:
    assert Endpoint()(signed([(f"Field{number}", "") for number in range(500)])) == ANSWER
    refused(Endpoint(), signed([(f"Field{number}", "") for number in range(501)]), 413, "WebhookTooLarge")
    refused(Endpoint(), signed([("Same", "1")] * 600), 413, "WebhookTooLarge")


@pytest.mark.parametrize("body", ["Body=%FF", "Body=%C3%28", "%FF=1", "Body=%ED%A0%BD", "Body=\udcff"])
def test_bytes_that_are_no_utf8_are_refused(body: str) -> None:
    for replacement in ("\ufffd", ""):
        fields = [("Body", replacement)]
        refused(Endpoint(), request(body, sign(f"{PUBLIC}/sms", Fields(fields))), 403, "InvalidSignature")


@pytest.mark.parametrize("body", ["A&B", "A=1&B", "A=1&", "&A=1", "&", "A"])
def test_a_field_without_its_sign_of_equality_is_refused(body: str) -> None:
    as_blank = Fields(parse_qsl(body.replace("B", "B=") if "B" in body else body, keep_blank_values=True))

    refused(Endpoint(), request(body, sign(f"{PUBLIC}/sms", as_blank)), 403, "InvalidSignature")


@pytest.mark.parametrize("body", ["not base64!", "QQ", "QQ==QQ==", "Q\nQ==", "bödy", "\ud83d"])
def test_a_body_that_is_not_the_base64_it_is_said_to_be_is_refused(body: str) -> None:
    refused(Endpoint(), signed() | {"body": body}, 400, "UnreadableWebhook")


def test_a_field_moved_into_the_address_is_refused() -> None:
    refused(
        Endpoint(),
        request("", sign(f"{PUBLIC}/sms", Fields(FIELDS)), query=urlencode(FIELDS)),
        403,
        "InvalidSignature",
    )


# --------------------------------------------------------------------------------------------------------- what follows


def answer_to(trouble: Exception) -> tuple[int, dict[str, str]]:
    answer = Endpoint(trouble=trouble)(signed())
    return answer["statusCode"], json.loads(answer["body"])


def test_what_a_repeat_can_heal_is_a_503() -> None:
    assert answer_to(StorageUnavailable("DynamoDB: Throttling.")) == (
        503,
        {"error": "StorageUnavailable", "message": "DynamoDB: Throttling."},
    )


def test_what_a_repeat_cannot_heal_is_a_500() -> None:
    assert answer_to(Misconfigured("The secret must be JSON."))[0] == 500


def test_a_webhook_that_cannot_be_read_is_a_400_in_words() -> None:
    assert answer_to(UnreadableWebhook("From is missing.")) == (
        400,
        {"error": "UnreadableWebhook", "message": "From is missing."},
    )


def test_the_unforeseen_is_a_500_without_details_and_the_log_has_them(log: io.StringIO) -> None:
    status, body = answer_to(RuntimeError("the table phone-conversations and +14155550123"))

    assert status == 500
    assert body["error"] == "PluginError"
    assert "phone-conversations" not in body["message"]
    assert "the table phone-conversations and ***0123" in log.getvalue()


@pytest.mark.parametrize("event", [{}, {"headers": None}, {"headers": {}, "body": None}, None, []])
def test_an_event_that_is_no_request_is_answered_too(event: Any) -> None:
    answer = Endpoint()(event)

    assert answer["statusCode"] in (415, 500)


def test_a_check_that_cannot_be_made_is_no_pass() -> None:
    def check(_signature: str, _urls: Iterable[str], _form: Form) -> bool:
        raise StorageUnavailable("Secrets Manager: down.")

    called: list[Form] = []
    handler = webhook(lambda form, _query: called.append(form), check, PUBLIC, ANSWER, admits_source=lambda _: True)

    assert handler(signed(), LambdaContext())["statusCode"] == 503
    assert called == []


def test_a_refusal_is_logged_by_its_kind_and_without_the_body(log: io.StringIO) -> None:
    Endpoint()(request(urlencode(FIELDS), "x"))

    written = log.getvalue()
    assert json.loads(written)["reason"] == "InvalidSignature"
    assert "goodbye" not in written
    assert "4155550123" not in written


@pytest.mark.parametrize("error", PluginError.__subclasses__())
def test_every_error_becomes_an_answer(error: type[PluginError]) -> None:
    arguments: dict[str, Any] = {"twilio_code": None, "status": 400} if error.__name__ == "TwilioRejected" else {}

    status, body = answer_to(error("In words.", **arguments))

    assert body == {"error": error.__name__, "message": "In words."}
    assert status == (503 if error.retryable else 400 if error.__name__ == "WebhookRefused" else 500)


def test_the_usual_answers_are_what_twilio_expects() -> None:
    assert twiml() == {"statusCode": 200, "headers": {"content-type": "text/xml; charset=utf-8"}, "body": EMPTY_TWIML}
    assert no_content() == {"statusCode": 204}
