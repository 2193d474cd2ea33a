"""The stand-in's REST API, as Twilio's own SDK sees it."""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.rest import Client

from local.twilio.segments import count_segments
from local.twilio.standin import TwilioStandIn

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "0f" * 16
NUMBER = "+14155550100"
PERSON = "+14155550199"
SERVICE = "MG" + "0123456789abcdef" * 2
KEY, SECRET = "SK" + "0" * 32, "a secret"


@pytest.fixture(scope="module")
def standin() -> Iterator[TwilioStandIn]:
    with TwilioStandIn(ACCOUNT, TOKEN, [NUMBER, "+442071838750"], api_keys={KEY: SECRET}, delivery_seconds=0) as twilio:
        yield twilio


def client_of(twilio: TwilioStandIn, username: str = ACCOUNT, password: str = TOKEN) -> Client:
    client = Client(username, password, ACCOUNT)
    client.api.base_url = twilio.url
    return client


@pytest.fixture
def client(standin: TwilioStandIn) -> Iterator[Client]:
    client = client_of(standin)
    yield client
    client.http_client.session.close()


def http(
    twilio: TwilioStandIn, path: str, *, user: str | None = ACCOUNT, password: str = TOKEN, **request: Any
) -> tuple[int, dict[str, Any]]:
    """Any request at all: status and JSON of the answer."""
    asked = urllib.request.Request(twilio.url + path, **request)
    if user is not None:
        asked.add_header("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())
    try:
        with urllib.request.urlopen(asked) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_an_accepted_text_is_answered_with_the_whole_message_resource(standin: TwilioStandIn) -> None:
    status, message = http(
        standin,
        f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json",
        data=f"To=%2B{PERSON[1:]}&From=%2B{NUMBER[1:]}&Body=Hello&Unknown=ignored".encode(),
    )
    uri = f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{message['sid']}"

    assert status == 201
    assert message == {
        "account_sid": ACCOUNT,
        "api_version": "2010-04-01",
        "body": "Hello",
        "date_created": message["date_created"],
        "date_sent": None,
        "date_updated": message["date_created"],
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": NUMBER,
        "messaging_service_sid": None,
        "num_media": "0",
        "num_segments": "1",
        "price": None,
        "price_unit": "USD",
        "sid": message["sid"],
        "status": "queued",
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": PERSON,
        "uri": f"{uri}.json",
    }
    assert message["date_created"].endswith(" +0000")
    assert len(message["sid"]) == 34
    assert message["sid"].startswith("SM")


def test_media_make_it_an_mms(client: Client) -> None:
    message = client.messages.create(to=PERSON, from_=NUMBER, media_url=["https://example.com/a.png"] * 10)

    assert message.sid is not None
    assert message.sid.startswith("MM")
    assert (message.num_media, message.body) == ("10", "")


def test_a_messaging_service_accepts_first_and_chooses_a_sender_later(standin: TwilioStandIn, client: Client) -> None:
    message = client.messages.create(to=PERSON, messaging_service_sid=SERVICE, body="Hello")
    standin.settle()
    delivered = message.fetch()

    assert (message.status, message.from_, message.num_segments) == ("accepted", None, "0")
    assert (delivered.status, delivered.from_, delivered.num_segments) == ("delivered", NUMBER, "1")
    assert message.messaging_service_sid == SERVICE


def test_a_service_and_a_sender_may_be_given_together(client: Client) -> None:
    message = client.messages.create(to=PERSON, from_=NUMBER, messaging_service_sid=SERVICE, body="Hello")

    assert (message.status, message.from_) == ("accepted", NUMBER)


@pytest.mark.parametrize(
    ("body", "segments"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("a" * 152 + "€" + "a" * 10, 2),
        ("ж" * 70, 1),
        ("ж" * 71, 2),
        ("ж" * 134, 2),
        ("ж" * 135, 3),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("😀" * 67, 3),  # 33 pairs a part: a surrogate pair is not split
        ("“quoted”", 1),
        ("a" * 69 + "“”", 2),
    ],
)
def test_segments_are_counted_as_they_are_billed(body: str, segments: int) -> None:
    assert count_segments(body) == segments


REFUSED = [
    (21604, "A 'To' phone number is required.", {"to": ""}),
    (21603, "A 'From' phone number is required.", {"from_": ""}),
    (21602, "Message body is required.", {"body": None}),
    (21619, "A text message body or media urls must be specified.", {"body": ""}),
    (21617, "The concatenated message body exceeds the 1600 character limit.", {"body": "a" * 1601}),
    (21617, "The concatenated message body exceeds the 1600 character limit.", {"body": "😀" * 801}),
    (21211, "The 'To' number 4155550199 is not a valid phone number.", {"to": "4155550199"}),
    (21211, "The 'To' number +0155550199 is not a valid phone number.", {"to": "+0155550199"}),
    (21211, "The 'To' number +15005550001 is not a valid phone number.", {"to": "+15005550001"}),
    (
        21612,
        f"The 'To' phone number: +15005550002, is not currently reachable using the 'From' phone number: {NUMBER} via SMS.",
        {"to": "+15005550002"},
    ),
    (
        21408,
        "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: +15005550003.",
        {"to": "+15005550003"},
    ),
    (21610, "Attempt to send to unsubscribed recipient", {"to": "+15005550004"}),
    (21614, "'To' number is not a valid mobile number", {"to": "+15005550009"}),
    (
        21212,
        "The 'From' number +15005550001 is not a valid phone number, shortcode, or alphanumeric sender ID.",
        {"from_": "+15005550001"},
    ),
    (
        21212,
        "The 'From' number much too long is not a valid phone number, shortcode, or alphanumeric sender ID.",
        {"from_": "much too long"},
    ),
    (
        21606,
        "The From phone number +14155550123 is not a valid, SMS-capable inbound phone number or short code for your account.",
        {"from_": "+14155550123"},
    ),
    (
        21606,
        "The From phone number +15005550007 is not a valid, SMS-capable inbound phone number or short code for your account.",
        {"from_": "+15005550007"},
    ),
    (21611, "This 'From' number has exceeded the maximum number of queued messages", {"from_": "+15005550008"}),
    (21266, f"'To' and 'From' number cannot be the same: {NUMBER}", {"to": NUMBER}),
    (21623, "Number of media files exceeds allowed limit", {"media_url": ["https://example.com/a.png"] * 11}),
    (21620, "Invalid media URL(s)", {"media_url": ["ftp://example.com/a.png"]}),
    (21609, "The StatusCallback URL /status is not a valid URL.", {"status_callback": "/status"}),
    (
        21609,
        "The StatusCallback URL https://my_host.example.com/s is not a valid URL.",
        {"status_callback": "https://my_host.example.com/s"},
    ),
    (21701, "The Messaging Service MG1 does not exist", {"messaging_service_sid": "MG1"}),
    (21910, "Invalid From and To pair. From and To should be of the same channel", {"to": f"whatsapp:{PERSON}"}),
    (
        63007,
        "Twilio could not find a Channel with the specified From address",
        {"to": f"whatsapp:{PERSON}", "from_": "whatsapp:+14155550123"},
    ),
]


@pytest.mark.parametrize(("code", "message", "changed"), REFUSED)
def test_what_twilio_refuses_is_refused_with_its_code_and_wording(
    standin: TwilioStandIn, client: Client, code: int, message: str, changed: dict[str, Any]
) -> None:
    before = len(standin.messages)
    asked = {"to": PERSON, "from_": NUMBER, "body": "Hello"} | changed

    with pytest.raises(TwilioRestException) as refused:
        client.messages.create(**asked)

    assert refused.value.code == code
    assert refused.value.status == (404 if code == 21701 else 400)
    assert refused.value.msg == f"Unable to create record: {message}"
    assert len(standin.messages) == before


@pytest.mark.parametrize(
    "accepted",
    [
        {"from_": "+15005550006"},
        {"body": "a" * 1600},
        {"body": "😀" * 800},
        {"to": f"whatsapp:{PERSON}", "from_": f"whatsapp:{NUMBER}"},
        {"to": "rcs:+14155550199", "messaging_service_sid": SERVICE, "from_": None},
        {"status_callback": "https://example.com/status?m=1#rc=3"},
    ],
)
def test_what_twilio_accepts_is_accepted(client: Client, accepted: dict[str, Any]) -> None:
    asked = {"to": PERSON, "from_": NUMBER, "body": "Hello"} | accepted

    assert client.messages.create(**asked).sid


def test_an_error_body_is_as_twilio_writes_it(standin: TwilioStandIn) -> None:
    status, body = http(standin, f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json", data=b"From=%2B14155550100&Body=Hello")

    assert status == 400
    assert body == {
        "code": 21604,
        "message": "A 'To' phone number is required.",
        "more_info": "https://www.twilio.com/docs/errors/21604",
        "status": 400,
    }


def test_json_is_not_read_so_that_the_recipient_is_missing(standin: TwilioStandIn) -> None:
    status, body = http(
        standin,
        f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json",
        data=json.dumps({"To": PERSON, "From": NUMBER, "Body": "Hello"}).encode(),
        headers={"Content-Type": "application/json"},
    )

    assert (status, body["code"]) == (400, 21604)


@pytest.mark.parametrize(
    ("user", "password", "message"),
    [
        (None, "", "Authentication Error - No credentials provided"),
        ("AC" + "f" * 32, TOKEN, "Authentication Error - invalid username"),
        (ACCOUNT, "wrong", "Authenticate"),
        (KEY, "wrong", "Authenticate"),
    ],
)
def test_wrong_credentials_are_20003(standin: TwilioStandIn, user: str | None, password: str, message: str) -> None:
    status, body = http(
        standin, f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json", user=user, password=password, data=b"To=%2B14155550199"
    )

    assert (status, body["code"], body["message"]) == (401, 20003, message)


def test_an_api_key_sends_but_may_not_read_the_account(standin: TwilioStandIn) -> None:
    client = client_of(standin, KEY, SECRET)

    assert client.messages.create(to=PERSON, from_=NUMBER, body="Hello").sid
    with pytest.raises(TwilioRestException) as refused:
        client.api.accounts(ACCOUNT).fetch()
    client.http_client.session.close()

    assert (refused.value.status, refused.value.code) == (401, 20003)


@pytest.mark.parametrize(
    "path",
    [
        f"/2010-04-01/Accounts/{ACCOUNT}/Messages/SM{'0' * 32}.json",
        f"/2010-04-01/Accounts/{ACCOUNT}/Nothing.json",
        f"/2010-04-01/Accounts/AC{'f' * 32}/Messages.json",
        "/2010-04-01/Nothing.json",
    ],
)
def test_what_does_not_exist_is_20404_and_names_its_path(standin: TwilioStandIn, path: str) -> None:
    status, body = http(standin, path)

    assert (status, body["code"], body["message"]) == (404, 20404, f"The requested resource {path} was not found")


def test_a_method_that_a_resource_does_not_have_is_20004(standin: TwilioStandIn) -> None:
    status, body = http(standin, f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json", method="PUT", data=b"")

    assert (status, body["code"]) == (405, 20004)


def test_the_account_and_its_numbers_can_be_read(standin: TwilioStandIn, client: Client) -> None:
    account = client.api.accounts(ACCOUNT).fetch()
    numbers = client.incoming_phone_numbers.list()
    british = client.incoming_phone_numbers.list(phone_number="+44*")

    assert (account.sid, account.status, account.type) == (ACCOUNT, "active", "Full")
    assert [number.phone_number for number in numbers] == [NUMBER, "+442071838750"]
    assert [number.phone_number for number in british] == ["+442071838750"]
    assert numbers[0].capabilities == {"fax": False, "mms": True, "sms": True, "voice": True}
    assert numbers[0].fetch().sid == numbers[0].sid


def test_the_webhook_of_a_number_can_be_set_through_the_api(standin: TwilioStandIn, client: Client) -> None:
    number = client.incoming_phone_numbers.list(limit=1)[0]
    updated = number.update(sms_url="https://example.com/sms#rc=2")
    configured = standin.sms_url
    standin.sms_url = None

    assert (updated.sms_url, configured) == ("https://example.com/sms#rc=2",) * 2
    with pytest.raises(TwilioRestException, match="SmsUrl is not a valid URL: nowhere"):
        number.update(sms_url="nowhere")


def test_a_hundred_and_twenty_messages_come_in_pages_newest_first() -> None:
    with TwilioStandIn(ACCOUNT, TOKEN, [NUMBER], delivery_seconds=0) as twilio:
        client = client_of(twilio)
        sent = [client.messages.create(to=PERSON, from_=NUMBER, body=str(index)).sid for index in range(120)]
        first = client.messages.page(page_size=50)
        during = next(iter(client.messages.stream(page_size=50)))
        client.messages.create(to=PERSON, from_=NUMBER, body="newer")
        second = first.next_page()
        assert second is not None
        back = second.previous_page()
        assert back is not None
        pages = [[message.sid for message in page] for page in (first, second, back)]
        listed = [message.sid for message in client.messages.list(page_size=50)]
        limited = client.messages.list(limit=7)
        last = second.next_page()
        client.http_client.session.close()

    assert during.sid == sent[-1]
    assert pages[0] == sent[:-51:-1]
    assert pages[1] == sent[-51:-101:-1]  # a newer message does not shift the next page
    assert listed[1:] == sent[::-1]
    assert len(limited) == 7
    assert last is not None
    assert last.next_page_url is None
    assert first.previous_page_url is None
    assert len(pages[2]) == 50


def test_messages_are_found_by_person_and_day(client: Client) -> None:
    person = "+14155550142"
    message = client.messages.create(to=person, from_=NUMBER, body="Hello")
    now = datetime.now(UTC)
    earlier, later = now - timedelta(minutes=5), now + timedelta(minutes=5)

    def found(**by: Any) -> list[str | None]:
        return [listed.sid for listed in client.messages.list(to=person, **by)]

    assert found() == [message.sid]
    assert found(from_=NUMBER) == [message.sid]
    assert found(from_="+442071838750") == []
    assert found(date_sent=now) == [message.sid]
    assert found(date_sent=now - timedelta(days=2)) == []
    assert found(date_sent_after=earlier, date_sent_before=later) == [message.sid]
    assert found(date_sent_after=later) == []
    assert found(date_sent_before=earlier) == []


def test_days_are_accepted_in_filters_and_nonsense_is_refused(standin: TwilioStandIn, client: Client) -> None:
    client.messages.create(to=PERSON, from_=NUMBER, body="Hello")
    today = datetime.now(UTC).date().isoformat()
    messages = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"

    status, page = http(standin, f"{messages}?DateSent%3E={today}&PageSize=1")

    assert (status, len(page["messages"]), page["page_size"]) == (200, 1, 1)
    assert page["next_page_uri"].startswith(f"{messages}?DateSent%3E={today}&PageSize=1&Page=1&PageToken=PA")
    assert http(standin, f"{messages}?DateSent=yesterday")[0] == 400
    with pytest.raises(TwilioException, match="Unable to fetch page"):
        client.messages.list(date_sent="yesterday")


def test_a_message_is_redacted_canceled_or_deleted_only_when_it_can_be(standin: TwilioStandIn, client: Client) -> None:
    message = client.messages.create(to=PERSON, from_=NUMBER, body="A secret")
    standin.settle()

    assert message.update(body="").body == ""
    assert message.fetch().status == "delivered"
    for change, code in (({"body": "other"}, 30400), ({}, 30400), ({"status": "canceled"}, 30409)):
        with pytest.raises(TwilioRestException) as refused:
            message.update(**change)
        assert refused.value.code == code
    assert message.delete()
    with pytest.raises(TwilioRestException) as gone:
        message.fetch()
    assert gone.value.code == 20404


def test_what_is_not_sent_yet_can_be_canceled_but_not_deleted() -> None:
    with TwilioStandIn(ACCOUNT, TOKEN, [NUMBER], delivery_seconds=0.5) as twilio:
        client = client_of(twilio)
        message = client.messages.create(to=PERSON, from_=NUMBER, body="Wait")
        with pytest.raises(TwilioRestException) as refused:
            message.delete()
        canceled = message.update(status="canceled")
        twilio.settle()
        texts = twilio.texts_to(PERSON)
        client.http_client.session.close()

    assert (refused.value.status, refused.value.code) == (409, 20009)
    assert (canceled.status, texts) == ("canceled", [])


def test_a_scheduled_message_waits_until_it_is_canceled(standin: TwilioStandIn, client: Client) -> None:
    message = client.messages.create(
        to=PERSON,
        messaging_service_sid=SERVICE,
        body="Later",
        schedule_type="fixed",
        send_at=datetime.now(UTC) + timedelta(hours=1),
    )
    standin.settle()

    assert (message.status, message.fetch().status) == ("scheduled", "scheduled")
    assert message.update(status="canceled").status == "canceled"


def test_a_port_in_use_is_said_at_the_start(standin: TwilioStandIn) -> None:
    port = int(standin.url.rpartition(":")[2])

    with pytest.raises(OSError, match="address already in use"):
        TwilioStandIn(ACCOUNT, TOKEN, [NUMBER], port=port).start()
