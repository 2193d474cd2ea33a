from __future__ import annotations

import base64
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from tests.unit.fakes import LambdaContext
from tests.unit.fakes_media import BUCKET, PNG, FakeBuckets
from twilio_plugin.domain.address import Channel
from twilio_plugin.domain.opt_out import ledger_id
from twilio_plugin.domain.outbound_media import LINK_SECONDS, LinkRefused, S3Object, media_token, object_of
from twilio_plugin.domain.timestamp import epoch
from twilio_plugin.errors import StorageUnavailable
from twilio_plugin.runtime.download import download
from twilio_plugin.services.serve_media import LARGEST_BODY, serve_media

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
MENU = S3Object(BUCKET, "menüs/a b.png")
LATER = epoch(NOW) + LINK_SECONDS
KEY = b"the stack's own key"


@pytest.mark.parametrize(
    ("url", "at"),
    [
        ("s3://bucket/a", S3Object("bucket", "a")),
        ("s3://bucket/a/b c.png", S3Object("bucket", "a/b c.png")),
        ("s3://bucket/", None),
        ("s3://bucket", None),
        ("s3:///a", None),
        ("https://bucket/a", None),
        ("S3://bucket/a", None),
    ],
)
def test_an_object_is_named_by_its_bucket_and_key(url: str, at: S3Object | None) -> None:
    assert S3Object.named(url) == at
    assert at is None or str(at) == url


def test_a_link_outlives_twilios_longest_validity_period() -> None:
    assert LINK_SECONDS > 36_000


def test_a_token_names_its_object_until_it_expires() -> None:
    token = media_token(KEY, MENU, expires_at=LATER)

    assert object_of(token, KEY, NOW) == MENU
    assert object_of(token, KEY, NOW + timedelta(seconds=LINK_SECONDS)) == MENU
    with pytest.raises(LinkRefused):
        object_of(token, KEY, NOW + timedelta(seconds=LINK_SECONDS + 1))


def tampered(token: str) -> list[str]:
    where, expires_at, mac = token.split(".")
    other = base64.urlsafe_b64encode(b"bucket/other").decode().rstrip("=")
    return [
        "",
        ".",
        "..",
        where,
        f"{where}.{expires_at}",
        f"{where}.{expires_at}.",
        f"{where}.{expires_at}.{'0' * 64}",
        f"{other}.{expires_at}.{mac}",
        f"{where}.{int(expires_at) + 1}.{mac}",
        f"{where}.-1.{mac}",
        f"{where}.١٢.{mac}",
        f"{where}.{expires_at}.{mac}é",
        f"{where}.{'9' * 400}.{mac}",
        "a" * 100_000 + f".{expires_at}.{mac}",
    ]


def test_nothing_else_is_a_token() -> None:
    token = media_token(KEY, MENU, expires_at=LATER)

    for wrong in [*tampered(token), media_token(b"guessed", MENU, expires_at=LATER)]:
        with pytest.raises(LinkRefused):
            object_of(wrong, KEY, NOW)


# ------------------------------------------------------------------------------------------------------------------- serving


@pytest.fixture
def buckets() -> FakeBuckets:
    buckets = FakeBuckets()
    buckets.add(str(MENU))
    return buckets


def serving(buckets: FakeBuckets) -> Callable[..., Any]:
    def use_case(token: str, *, with_body: bool) -> Any:
        return serve_media(token, with_body=with_body, media=buckets, key=lambda: KEY, clock=lambda: NOW)

    return use_case


def ask(use_case: Any, method: str = "GET", token: str | None = None) -> dict[str, Any]:
    event = {
        "requestContext": {"http": {"method": method}},
        "pathParameters": {"token": token or media_token(KEY, MENU, expires_at=LATER)},
    }
    return download(use_case)(event, LambdaContext())


def test_twilio_gets_the_object_with_its_type(buckets: FakeBuckets) -> None:
    answer = ask(serving(buckets))

    assert answer["statusCode"] == 200
    assert answer["headers"]["content-type"] == "image/png"
    assert answer["headers"]["content-length"] == str(len(PNG))
    assert answer["isBase64Encoded"]
    assert base64.b64decode(answer["body"]) == PNG


def test_twilio_may_look_first(buckets: FakeBuckets) -> None:
    looked, fetched = ask(serving(buckets), "HEAD"), ask(serving(buckets), "GET")

    assert looked["headers"] == fetched["headers"]
    assert looked["body"] == ""


def test_what_a_function_cannot_answer_is_fetched_from_s3(buckets: FakeBuckets) -> None:
    buckets.add(str(MENU), b"x" * (LARGEST_BODY + 1), "video/mp4")

    assert ask(serving(buckets), "HEAD")["headers"]["content-length"] == str(LARGEST_BODY + 1)
    answer = ask(serving(buckets))
    assert answer["statusCode"] == 302
    assert answer["headers"]["location"] == buckets.temporary_url(MENU)
    assert "body" not in answer


def test_the_largest_body_fits_into_an_answer(buckets: FakeBuckets) -> None:
    buckets.add(str(MENU), b"x" * LARGEST_BODY, "video/mp4")

    assert len(ask(serving(buckets))["body"]) < 6 * 1024 * 1024 - 1000


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_strangers_learn_nothing(buckets: FakeBuckets, method: str) -> None:
    elsewhere, missing = S3Object("other-bucket", "a.png"), S3Object(BUCKET, "missing.png")
    buckets.objects["other-bucket", "a.png"] = (PNG, "image/png")
    good = media_token(KEY, MENU, expires_at=LATER)
    wrong = [
        *tampered(good)[1:],
        media_token(KEY, MENU, expires_at=epoch(NOW) - 1),
        media_token(KEY, elsewhere, expires_at=LATER),
        media_token(KEY, missing, expires_at=LATER),
    ]

    assert {str(ask(serving(buckets), method, token)) for token in wrong} == {str({"statusCode": 404})}


def test_a_hash_of_the_ledger_is_never_a_links_mac_though_both_are_under_one_key() -> None:
    where, expires_at, mac = media_token(KEY, MENU, expires_at=LATER).split(".")
    signed = f"media-link|{where}|{expires_at}"

    assert ledger_id(KEY, signed) == f"contact|{mac}"  # so it must not be the id of any conversation
    assert signed.partition("|")[0] not in get_args(Channel)


def test_what_may_pass_is_a_503_and_nothing_of_the_token_is_logged(log: io.StringIO) -> None:
    token = media_token(KEY, MENU, expires_at=LATER)

    def broken(_token: str, *, with_body: bool) -> None:
        raise StorageUnavailable("S3: SlowDown.")

    assert ask(broken)["statusCode"] == 503
    ask(serving(FakeBuckets()))
    assert "media not served" in log.getvalue()
    for part in token.split("."):
        assert part not in log.getvalue()
