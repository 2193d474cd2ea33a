"""`TwilioMessages` against a real HTTP server on the loopback, which answers as a script says."""

from __future__ import annotations

import dataclasses
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.unit.fakes import ACCOUNT
from tests.unit.fakes_numbers import FakeRestSecret
from tests.unit.http_server import TOO_MANY, Answer, Hangup, Server, assert_silent, nobody, refused, running
from twilio_plugin.adapters.secrets import Credentials
from twilio_plugin.adapters.twilio_messages import TwilioMessages
from twilio_plugin.adapters.twilio_rest import IDLE_SECONDS, TwilioRest
from twilio_plugin.domain.address import Address
from twilio_plugin.domain.outbound import Part, Receipt
from twilio_plugin.domain.twilio_errors import read_rejection
from twilio_plugin.errors import PluginError, SendOutcomeUnknown, StorageUnavailable, TwilioRejected, TwilioUnavailable

PART = Part(
    send_id="key 1/ä&=",
    number=2,
    parts=3,
    fingerprint="f",
    sender=Address("phone", "+14155550100"),
    recipient=Address("phone", "+14155550123"),
    body="Geheim & sicher 👋",
)
STATUS_URL = "https://example.com/webhooks/twilio/status"
SINCE = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def _http() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture
def twilio(_http: Server) -> Server:
    _http.reset()
    return _http


@dataclass
class Caller:
    texting: TwilioMessages
    pauses: list[float]


Calls = Callable[..., Caller]


@pytest.fixture
def calls(twilio: Server) -> Iterator[Calls]:
    """Make a client of the server; its pauses are noted, not slept."""
    made: list[TwilioMessages] = []

    def make(url: str = "", api_key: tuple[str, str] | None = None, secret: FakeRestSecret | None = None) -> Caller:
        pauses: list[float] = []
        secret = secret or FakeRestSecret(Credentials("token", api_key))
        rest = TwilioRest(ACCOUNT, secret, api_base_url=url or twilio.url, pause=pauses.append)
        texting = TwilioMessages(rest, status_url=STATUS_URL, link=lambda at: f"https://example.com/media/{at.key}")
        made.append(texting)
        return Caller(texting, pauses)

    yield make
    for texting in made:
        texting._twilio._http.session.close()


def accepted(sid: str = "SM1", **fields: Any) -> Answer:
    return Answer(201, json.dumps({"sid": sid, "account_sid": ACCOUNT, "status": "queued", "error_code": None} | fields))


# --------------------------------------------------------------------------------------------------- what is asked for


def test_a_part_is_posted_with_everything_twilio_needs(twilio: Server, calls: Calls) -> None:
    twilio.script = [accepted()]
    part = dataclasses.replace(PART, media_url=("https://example.com/a", "https://example.com/b"))

    receipt = calls().texting.send(dataclasses.replace(part, messaging_service_sid="MG" + "0" * 32))

    assert receipt == Receipt("SM1", ACCOUNT, "queued")
    (asked,) = twilio.asked
    assert (asked.method, asked.path) == ("POST", f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json")
    assert asked.user_and_password == (ACCOUNT, "token")
    assert {name: values for name, values in asked.form.items() if name != "StatusCallback"} == {
        "To": ["+14155550123"],
        "From": ["+14155550100"],
        "Body": ["Geheim & sicher 👋"],
        "MediaUrl": ["https://example.com/a", "https://example.com/b"],
        "MessagingServiceSid": ["MG" + "0" * 32],
    }


def test_the_status_callback_carries_send_and_part_and_asks_twilio_to_retry(twilio: Server, calls: Calls) -> None:
    twilio.script = [accepted()]

    calls().texting.send(PART)

    url = urlsplit(twilio.asked[0].form["StatusCallback"][0])
    assert f"{url.scheme}://{url.netloc}{url.path}" == STATUS_URL
    assert dict(parse_qsl(url.query)) == {"send": "key 1/ä&=", "part": "2"}
    assert url.fragment == "rc=3&rp=5xx,ct,rt"


def test_words_or_media_that_are_not_there_are_not_sent(twilio: Server, calls: Calls) -> None:
    twilio.script = [accepted()]
    caller = calls()

    caller.texting.send(PART)
    caller.texting.send(dataclasses.replace(PART, body="", media_url=("https://example.com/a",)))

    assert "MediaUrl" not in twilio.asked[0].form
    assert "MessagingServiceSid" not in twilio.asked[0].form
    assert "Body" not in twilio.asked[1].form


def test_whatsapp_addresses_go_as_twilio_writes_them(twilio: Server, calls: Calls) -> None:
    twilio.script = [accepted()]
    ours, theirs = Address("whatsapp", "+14155550100"), Address("whatsapp", "+14155550123")

    calls().texting.send(dataclasses.replace(PART, sender=ours, recipient=theirs))

    assert (twilio.asked[0].form["From"], twilio.asked[0].form["To"]) == (
        ["whatsapp:+14155550100"],
        ["whatsapp:+14155550123"],
    )


def test_an_api_key_is_used_where_there_is_one(twilio: Server, calls: Calls) -> None:
    twilio.script = [accepted()]

    calls(api_key=("SK1", "key")).texting.send(PART)

    (asked,) = twilio.asked
    assert asked.user_and_password == ("SK1", "key")
    assert ACCOUNT in asked.path


# -------------------------------------------------------------------------------------------------------- what follows


def test_a_message_that_failed_at_once_says_why(twilio: Server, calls: Calls) -> None:
    twilio.script = [accepted(status="failed", error_code=30034)]

    assert calls().texting.send(PART) == Receipt("SM1", ACCOUNT, "failed", 30034)


@pytest.mark.parametrize(("status", "code"), [(400, 21211), (400, 21610), (401, 20003), (403, 20403), (404, 20404)])
def test_a_refusal_is_final_and_explained_without_the_number(twilio: Server, calls: Calls, status: int, code: int) -> None:
    twilio.script = [refused(status, code)]
    caller = calls()

    with pytest.raises(TwilioRejected, match=f"{code}: ") as error:
        caller.texting.send(PART)

    assert (error.value.twilio_code, error.value.status) == (code, status)
    read = read_rejection(str(error.value))
    assert (read.twilio_code, read.status) == (code, status), "the sentence is all that a client of the function gets"
    assert "+1415" not in str(error.value)
    assert "***0123" in str(error.value)
    assert len(twilio.asked) == 1
    assert caller.pauses == []


def test_a_refusal_in_the_newer_form_of_errors_is_a_refusal_too(twilio: Server, calls: Calls) -> None:
    """RFC 9457, which the twilio package reads as another exception."""
    problem = {"type": "https://www.twilio.com/docs/api/errors/21211", "title": "Invalid", "status": 400, "code": 21211}
    twilio.script = [Answer(400, json.dumps(problem), "application/problem+json")]

    with pytest.raises(TwilioRejected) as error:
        calls().texting.send(PART)

    assert (error.value.twilio_code, error.value.status) == (21211, 400)


def test_too_many_requests_in_the_newer_form_of_errors_are_tried_again(twilio: Server, calls: Calls) -> None:
    problem = {"type": "https://www.twilio.com/docs/api/errors/20429", "title": "Slow down", "status": 429, "code": 20429}
    twilio.script = [Answer(429, json.dumps(problem), "application/problem+json"), accepted()]

    assert calls().texting.send(PART) == Receipt("SM1", ACCOUNT, "queued")


@pytest.mark.parametrize("body", ["<html>Bad request</html>", "", "null", "[]"])
def test_a_refusal_without_a_code_has_none(twilio: Server, calls: Calls, body: str) -> None:
    twilio.script = [Answer(400, body, "text/html")]

    with pytest.raises(TwilioRejected) as error:
        calls().texting.send(PART)

    assert (error.value.twilio_code, error.value.status) == (None, 400)


def test_too_many_requests_are_tried_again_with_growing_pauses(twilio: Server, calls: Calls) -> None:
    twilio.script = [TOO_MANY, TOO_MANY, TOO_MANY, accepted()]
    caller = calls()

    assert caller.texting.send(PART) == Receipt("SM1", ACCOUNT, "queued")

    assert len(twilio.asked) == 4
    assert [0.25 * 2**n <= pause <= 0.5 * 2**n for n, pause in enumerate(caller.pauses)] == [True] * 3


@pytest.mark.parametrize("answer", [TOO_MANY, Answer(429, "<html>Too many requests</html>", "text/html")])
def test_too_many_requests_for_ever_are_reported_as_nothing_sent(twilio: Server, calls: Calls, answer: Answer) -> None:
    twilio.script = [answer]

    with pytest.raises(TwilioUnavailable, match="HTTP 429"):
        calls().texting.send(PART)

    assert len(twilio.asked) == 4


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(refused(500, 20500), id="500"),
        pytest.param(Answer(503, "<html>Unavailable</html>", "text/html"), id="503 as HTML"),
        pytest.param(Answer(201, "<html>Welcome to our Wi-Fi</html>", "text/html"), id="201 as HTML"),
        pytest.param(Answer(201, ""), id="201 without a body"),
        pytest.param(Answer(201, "null"), id="201 with null"),
        pytest.param(Answer(201, "[]"), id="201 with a list"),
        pytest.param(Answer(201, "{}"), id="201 without a SID"),
        pytest.param(Hangup(), id="connection dropped"),
    ],
)
def test_an_answer_that_leaves_it_open_is_reported_so_and_nothing_is_repeated(
    twilio: Server, calls: Calls, answer: Answer | Hangup
) -> None:
    twilio.script = [answer, accepted()]
    caller = calls()

    with pytest.raises(SendOutcomeUnknown) as error:
        caller.texting.send(PART)

    assert "+1415" not in str(error.value)
    assert "Geheim" not in str(error.value)
    assert error.value.__cause__
    assert len(twilio.asked) == 1
    assert caller.pauses == []


def test_an_answer_that_comes_too_late_leaves_it_open(twilio: Server, calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twilio_plugin.adapters.twilio_rest.TIMEOUT_SECONDS", 0.1)
    twilio.script, twilio.gate = [accepted()], threading.Event()

    with pytest.raises(SendOutcomeUnknown, match="ReadTimeout"):
        calls().texting.send(PART)

    twilio.gate.set()
    assert len(twilio.asked) == 1


def test_a_connection_that_never_came_about_is_tried_again_and_reported_as_nothing_sent(calls: Calls) -> None:
    caller = calls(nobody())

    with pytest.raises(TwilioUnavailable, match="ConnectionError"):
        caller.texting.send(PART)

    assert len(caller.pauses) == 3


def test_a_connection_is_kept_for_the_next_part(twilio: Server, calls: Calls) -> None:
    twilio.script = [accepted()]
    caller = calls()

    ports = set()
    for _ in range(3):
        caller.texting.send(PART)
        (pool,) = caller.texting._twilio._http.session.get_adapter(twilio.url).poolmanager.pools._container.values()
        ports.add(pool.num_connections)

    assert ports == {1}


# ------------------------------------------------------------------------------------------------------- looking it up


def test_a_connection_that_may_have_died_while_lambda_slept_is_not_used(
    twilio: Server, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    twilio.script = [accepted()]
    now = time.time()
    monkeypatch.setattr("twilio_plugin.adapters.twilio_rest.time.time", lambda: now)
    caller = calls()

    caller.texting.send(PART)
    caller.texting.send(PART)
    now += IDLE_SECONDS + 1
    caller.texting.send(PART)

    first, soon_after, after_a_sleep = [asked.connection for asked in twilio.asked]
    assert first == soon_after != after_a_sleep


def listed(*messages: dict[str, Any], next_page: str | None = None) -> Answer:
    full = [{"account_sid": ACCOUNT, "status": "sent", "num_media": "0", "body": "Hello"} | message for message in messages]
    return Answer(200, json.dumps({"messages": full, "next_page_uri": next_page}))


def test_twilios_list_is_not_asked_for_by_a_date_that_queued_messages_do_not_have(twilio: Server, calls: Calls) -> None:
    twilio.script = [listed()]

    assert calls().texting.sent(PART, since=SINCE) == []

    (asked,) = twilio.asked
    url = urlsplit(asked.path)
    assert (asked.method, url.path) == ("GET", f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json")
    query = dict(parse_qsl(url.query))
    assert (query["To"], query["From"]) == ("+14155550123", "+14155550100")
    assert not [name for name in query if "Date" in name]


def test_twilios_list_is_read_page_by_page_oldest_first_and_from_the_moment_on(twilio: Server, calls: Calls) -> None:
    def at(sid: str, time: str, **more: Any) -> dict[str, Any]:
        return {"sid": sid, "date_created": f"Sun, 22 Nov 2026 {time} +0000"} | more

    twilio.script = [
        listed(
            at("SM4", "08:00:04", num_media="2", body=None),
            at("SM3", "08:00:03"),
            next_page=f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json?Page=1",
        ),
        listed(at("SM2", "08:00:02", status="failed", error_code=30007), at("SM1", "07:59:59")),
    ]

    found = calls().texting.sent(PART, since=SINCE)

    assert [one.receipt for one in found] == [
        Receipt("SM2", ACCOUNT, "failed", 30007),
        Receipt("SM3", ACCOUNT, "sent"),
        Receipt("SM4", ACCOUNT, "sent"),
    ]
    assert [(one.body, one.num_media) for one in found] == [("Hello", 0), ("Hello", 0), ("", 2)]


@pytest.mark.parametrize("answer", [refused(401, 20003), TOO_MANY, refused(500, 20500), Answer(200, "<html>"), Hangup()])
def test_a_list_that_cannot_be_read_says_nothing_about_the_send(twilio: Server, calls: Calls, answer: Answer | Hangup) -> None:
    twilio.script = [answer]

    with pytest.raises(StorageUnavailable) as error:
        calls().texting.sent(PART, since=SINCE)

    assert "+1415" not in str(error.value)
    assert error.value.__cause__


# ------------------------------------------------------------------------------------------------------------- silence


@pytest.mark.parametrize(
    "answer", [accepted(body="Geheim"), refused(400, 21211), TOO_MANY, refused(500, 20500), Answer(201, "Geheim"), Hangup()]
)
def test_no_text_and_no_number_is_in_any_log_when_sending(
    twilio: Server, calls: Calls, caplog: pytest.LogCaptureFixture, answer: Answer | Hangup
) -> None:
    caplog.set_level(logging.DEBUG)
    twilio.script = [answer]

    try:
        calls().texting.send(PART)
    except PluginError as error:
        logging.getLogger("test").error("told: %s", error)

    assert_silent(caplog)


def test_no_number_is_in_any_log_when_looking_up(twilio: Server, calls: Calls, caplog: pytest.LogCaptureFixture) -> None:
    """The list's address holds both numbers, percent-encoded, and urllib3 logs addresses at DEBUG."""
    caplog.set_level(logging.DEBUG)
    twilio.script = [listed({"sid": "SM1", "body": "Geheim"})]

    calls().texting.sent(PART, since=SINCE)

    assert_silent(caplog)


# ---------------------------------------------------------------------------------------------------- credentials that change


@pytest.mark.parametrize("status", [401, 403])
def test_credentials_that_were_changed_are_looked_up_and_the_request_is_made_again(
    twilio: Server, calls: Calls, status: int
) -> None:
    twilio.script = [refused(status, 20003), accepted()]
    secret = FakeRestSecret(Credentials("old"), fresh=Credentials("new"))

    receipt = calls(secret=secret).texting.send(PART)

    assert receipt.message_sid == "SM1"
    assert [asked.user_and_password for asked in twilio.asked] == [(ACCOUNT, "old"), (ACCOUNT, "new")]


@pytest.mark.parametrize("fresh", [None, Credentials("old")])
def test_credentials_that_are_still_the_same_are_refused_at_once(
    twilio: Server, calls: Calls, fresh: Credentials | None
) -> None:
    twilio.script = [refused(401, 20003)]
    caller = calls(secret=FakeRestSecret(Credentials("old"), fresh=fresh))

    with pytest.raises(TwilioRejected, match="did not accept the credentials"):
        caller.texting.send(PART)

    assert len(twilio.asked) == 1
    assert caller.pauses == []


def test_credentials_are_looked_up_once_a_request_and_only_where_they_are_in_doubt(twilio: Server, calls: Calls) -> None:
    secret = FakeRestSecret(Credentials("old"), fresh=Credentials("new"))
    twilio.script = [refused(401, 20003)]
    with pytest.raises(TwilioRejected):
        calls(secret=secret).texting.send(PART)
    assert (secret.looks, len(twilio.asked)) == (1, 2)

    twilio.script = [refused(400, 21211)]
    with pytest.raises(TwilioRejected):
        calls(secret=secret).texting.send(PART)
    assert secret.looks == 1


def test_a_list_is_asked_for_again_too(twilio: Server, calls: Calls) -> None:
    page = {"messages": [], "page_size": 50, "next_page_uri": None}
    twilio.script = [refused(401, 20003), Answer(200, json.dumps(page))]

    assert calls(secret=FakeRestSecret(fresh=Credentials("new"))).texting.sent(PART, since=SINCE) == []

    assert [asked.user_and_password[1] for asked in twilio.asked] == ["token", "new"]


@pytest.mark.parametrize(
    ("base", "url", "asked"),
    [
        ("https://api.twilio.com", "https://api.twilio.com/2010", "https://api.twilio.com/2010"),
        ("https://api.twilio.com", "https://messaging.twilio.com/v1/Services", "https://messaging.twilio.com/v1/Services"),
        ("http://127.0.0.1:4", "https://api.twilio.com/2010", "http://127.0.0.1:4/2010"),
        ("http://127.0.0.1:4", "https://messaging.twilio.com/v1/Services", "http://127.0.0.1:4/v1/Services"),
        ("http://127.0.0.1:4/", "http://127.0.0.1:4/v1/Services?Page=1", "http://127.0.0.1:4/v1/Services?Page=1"),
        ("https://api.sydney.au1.twilio.com", "https://api.twilio.com/2010", "https://api.sydney.au1.twilio.com/2010"),
        ("https://api.sydney.au1.twilio.com", "https://messaging.twilio.com/v1/S", "https://messaging.twilio.com/v1/S"),
    ],
)
def test_a_stand_in_has_all_of_twilios_hosts_in_one_place(base: str, url: str, asked: str) -> None:
    assert TwilioRest(ACCOUNT, FakeRestSecret(), api_base_url=base)._http._moved(url) == asked
