"""What the stand-in sends: inbound texts, status callbacks, media, and how it takes the answers."""

import socket
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from local.twilio.receiver import Answer, Received, Receiver, twiml
from local.twilio.standin import TwilioStandIn

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "0f" * 16
NUMBER = "+14155550100"
PERSON = "+14155550199"
SERVICE = "MG" + "0123456789abcdef" * 2
OK = twiml("")


@pytest.fixture
def webhook() -> Iterator[Receiver]:
    with Receiver(default=OK) as receiver:
        yield receiver


@pytest.fixture
def standin(webhook: Receiver) -> Iterator[TwilioStandIn]:
    with TwilioStandIn(ACCOUNT, TOKEN, [NUMBER], sms_url=f"{webhook.url}/sms", delivery_seconds=0.01) as twilio:
        yield twilio


@pytest.fixture
def client(standin: TwilioStandIn) -> Iterator[Client]:
    client = Client(ACCOUNT, TOKEN)
    client.api.base_url = standin.url
    yield client
    client.http_client.session.close()


def is_signed(request: Received, base: str, token: str = TOKEN) -> bool:
    signature = request.headers["x-twilio-signature"]
    return bool(RequestValidator(token).validate(base + request.path, request.fields, signature))


def test_a_person_s_text_arrives_as_twilio_s_signed_form(standin: TwilioStandIn, webhook: Receiver) -> None:
    standin.sms_url = f"{webhook.url}/prod/sms?line=1%2F2&b=%20&a=+#rc=2&rp=5xx,ct,rt"
    exchange = standin.receive_text(PERSON, "Grüße & + = % 😀\n")
    [request] = webhook.requests
    sid = request.fields["MessageSid"]

    assert request.path == "/prod/sms?line=1%2F2&b=%20&a=+"
    assert request.fields == {
        "ToCountry": "US",
        "ToState": "",
        "ToCity": "",
        "ToZip": "",
        "FromCountry": "US",
        "FromState": "",
        "FromCity": "",
        "FromZip": "",
        "SmsMessageSid": sid,
        "NumMedia": "0",
        "SmsSid": sid,
        "SmsStatus": "received",
        "Body": "Grüße & + = % 😀\n",
        "To": NUMBER,
        "NumSegments": "1",
        "MessageSid": sid,
        "AccountSid": ACCOUNT,
        "From": PERSON,
        "ApiVersion": "2010-04-01",
    }
    assert request.headers["content-type"] == "application/x-www-form-urlencoded; charset=UTF-8"
    assert request.headers["user-agent"] == "TwilioProxy/1.1"
    assert is_signed(request, webhook.url)
    assert not is_signed(request, webhook.url, token="another")
    assert exchange.url == webhook.url + request.path
    assert (exchange.status, exchange.content_type, exchange.attempts) == (200, "text/xml", 1)
    assert exchange.body.endswith("<Response></Response>")
    assert exchange.idempotency_token == request.headers["i-twilio-idempotency-token"]
    assert standin.exchanges == [exchange]
    assert standin.alerts == []
    [message] = standin.messages
    assert (message.sid, message.direction, message.status, message.from_) == (sid, "inbound", "received", PERSON)


def test_fields_can_be_added_and_replaced_and_are_signed(standin: TwilioStandIn, webhook: Receiver) -> None:
    standin.receive_text(PERSON, "Hi", FromCity="SAN FRANCISCO", OptOutType="STOP", NumSegments="3")
    [request] = webhook.requests

    assert (request.fields["FromCity"], request.fields["OptOutType"]) == ("SAN FRANCISCO", "STOP")
    assert request.fields["NumSegments"] == "3"
    assert is_signed(request, webhook.url)


def test_a_whatsapp_text_has_no_geography_but_a_profile(standin: TwilioStandIn, webhook: Receiver) -> None:
    standin.receive_text(f"whatsapp:{PERSON}", "Hi")
    fields = webhook.requests[0].fields

    assert (fields["From"], fields["To"]) == (f"whatsapp:{PERSON}", f"whatsapp:{NUMBER}")
    assert (fields["WaId"], fields["ProfileName"], fields["MessageType"]) == (PERSON[1:], "A person", "text")
    assert "FromCountry" not in fields


def test_a_text_to_a_number_of_somebody_else_is_a_mistake_of_the_test(standin: TwilioStandIn) -> None:
    with pytest.raises(ValueError, match="is not a number of the account"):
        standin.receive_text(PERSON, "Hi", to="+14155550123")
    standin.sms_url = None
    with pytest.raises(RuntimeError, match="sms_url is not set"):
        standin.receive_text(PERSON, "Hi")


def test_media_are_served_to_who_has_credentials(standin: TwilioStandIn, webhook: Receiver, client: Client) -> None:
    standin.receive_text(PERSON, media=[("image/png", b"\x89PNG"), "https://example.com/cat.gif"])
    fields = webhook.requests[0].fields
    url = urllib.parse.urlsplit(fields["MediaUrl0"])
    [listed] = client.messages(fields["MessageSid"]).media.list()
    authorized = urllib.request.HTTPPasswordMgrWithPriorAuth()
    authorized.add_password(None, standin.url, ACCOUNT, TOKEN, is_authenticated=True)
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(authorized))

    with opener.open(fields["MediaUrl0"]) as answer:
        assert (answer.read(), answer.headers["Content-Type"]) == (b"\x89PNG", "image/png")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(fields["MediaUrl0"])
    refused.value.close()
    assert refused.value.code == 401
    assert (fields["Body"], fields["NumMedia"], fields["MediaContentType0"]) == ("", "2", "image/png")
    assert (fields["MediaUrl1"], fields["MediaContentType1"]) == ("https://example.com/cat.gif", "image/gif")
    assert fields["MessageSid"].startswith("MM")
    assert url.path == f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{fields['MessageSid']}/Media/{listed.sid}"
    assert listed.content_type == "image/png"
    assert listed.delete()
    assert client.messages(fields["MessageSid"]).media.list() == []


def test_media_may_come_from_another_host_that_refuses_our_credentials(webhook: Receiver) -> None:
    with TwilioStandIn(
        ACCOUNT, TOKEN, [NUMBER], sms_url=webhook.url, media_redirect_host="localhost", public_url="http://api.test"
    ) as twilio:
        twilio.receive_text(PERSON, media=[("image/png", b"\x89PNG")])
        url = webhook.requests[0].fields["MediaUrl0"]
        client = Client(ACCOUNT, TOKEN)
        asked = client.request("GET", url.replace("http://api.test", twilio.url))
        location = asked.headers["Location"]
        with urllib.request.urlopen(location) as answer:
            content = answer.read()
        with_credentials = client.request("GET", location)
        client.http_client.session.close()

    assert url.startswith("http://api.test/2010-04-01/")
    assert asked.status_code == 307
    assert urllib.parse.urlsplit(location).hostname == "localhost"
    assert content == b"\x89PNG"
    assert with_credentials.status_code == 400


def test_status_callbacks_are_signed_over_their_query_and_come_in_order(
    standin: TwilioStandIn, webhook: Receiver, client: Client
) -> None:
    message = client.messages.create(
        to=PERSON, from_=NUMBER, body="Hello", status_callback=f"{webhook.url}/status?m=01J%2B#rc=3&rp=5xx"
    )
    standin.settle()
    sent, delivered = webhook.requests

    assert sent.path == "/status?m=01J%2B"
    assert all(is_signed(request, webhook.url) for request in webhook.requests)
    assert sent.fields == {
        "SmsSid": message.sid,
        "SmsStatus": "sent",
        "MessageStatus": "sent",
        "To": PERSON,
        "MessageSid": message.sid,
        "AccountSid": ACCOUNT,
        "ApiVersion": "2010-04-01",
        "From": NUMBER,
    }
    assert delivered.fields["MessageStatus"] == "delivered"
    assert len(delivered.fields["RawDlrDoneDate"]) == 10
    assert sent.headers["i-twilio-idempotency-token"] != delivered.headers["i-twilio-idempotency-token"]
    assert message.fetch().price == "-0.00830"


def test_a_slow_callback_holds_up_the_next_but_not_the_delivery(
    standin: TwilioStandIn, webhook: Receiver, client: Client
) -> None:
    webhook.answers = [Answer(200, delay=0.5)]
    client.messages.create(to=PERSON, from_=NUMBER, body="Hello", status_callback=webhook.url)
    standin.settle()
    sent, delivered = webhook.requests
    [message] = standin.messages
    assert message.date_sent is not None

    assert delivered.at - sent.at >= 0.5
    assert (message.date_updated - message.date_sent).total_seconds() < 0.5


def test_a_messaging_service_also_reports_queued(standin: TwilioStandIn, webhook: Receiver, client: Client) -> None:
    client.messages.create(to=PERSON, messaging_service_sid=SERVICE, body="Hello", status_callback=webhook.url)
    standin.settle()

    assert [request.fields["MessageStatus"] for request in webhook.requests] == ["queued", "sent", "delivered"]
    assert {request.fields["MessagingServiceSid"] for request in webhook.requests} == {SERVICE}
    assert {request.fields["From"] for request in webhook.requests} == {NUMBER}


def test_a_canceled_schedule_is_reported(standin: TwilioStandIn, webhook: Receiver, client: Client) -> None:
    message = client.messages.create(
        to=PERSON, messaging_service_sid=SERVICE, body="Hi", schedule_type="fixed", status_callback=webhook.url
    )
    message.update(status="canceled")
    standin.settle()

    assert [request.fields["MessageStatus"] for request in webhook.requests] == ["canceled"]


def test_the_phone_shows_texts_in_the_order_of_their_acceptance(standin: TwilioStandIn, client: Client) -> None:
    for body in ("one", "two", "three"):
        client.messages.create(to=PERSON, from_=NUMBER, body=body)
    client.messages.create(to="+14155550142", from_=NUMBER, body="for somebody else")

    assert standin.wait_for_text(PERSON, after=2).body == "three"
    assert [text.body for text in standin.texts_to(PERSON)] == ["one", "two", "three"]
    with pytest.raises(TimeoutError, match=r"shows 3 texts: \['one', 'two', 'three'\]"):
        standin.wait_for_text(PERSON, after=3, timeout=0.05)


def test_twiml_answers_become_replies(standin: TwilioStandIn, webhook: Receiver) -> None:
    webhook.answers = [
        twiml(
            f'<Message statusCallback="/status">Hello &amp; welcome</Message>'
            f'<Message to="+14155550142" from="{NUMBER}"><Body>Second</Body>'
            "<Media>https://example.com/a.png</Media></Message>"
        )
    ]
    standin.receive_text(PERSON, "Hi")
    reply = standin.wait_for_text(PERSON)
    other = standin.wait_for_text("+14155550142")
    standin.settle()

    assert (reply.body, reply.direction, reply.from_) == ("Hello & welcome", "outbound-reply", NUMBER)
    assert (other.body, other.media_urls) == ("Second", ["https://example.com/a.png"])
    assert [request.path for request in webhook.requests] == ["/sms", "/status", "/status"]
    assert standin.alerts == []


@pytest.mark.parametrize(
    ("answer", "codes", "replies"),
    [
        (Answer(204), [], []),
        (Answer(200), [], []),
        (Answer(200, "text/html", "<Response/>"), [], []),
        (Answer(200, "application/xml; charset=utf-8", "<Response><Message>hi</Message></Response>"), [], ["hi"]),
        (Answer(200, "text/plain", "ok"), [], ["ok"]),  # the person is texted "ok"
        (Answer(200, "application/json", "{}"), [12300], []),
        (Answer(200, None, "ok"), [12300], []),
        (Answer(200, "text/xml", ""), [12100], []),
        (Answer(200, "text/xml", "<Response><Message>a < b</Message></Response>"), [12100], []),
        (Answer(200, "text/xml", "<html/>"), [12200], []),
        (twiml("<Say>hi</Say><Message>hi</Message>"), [12200], ["hi"]),
        (twiml("<Message></Message>"), [14103], []),
        (twiml("<Message to='+15005550004'>hi</Message>"), [21610], []),
        (Answer(302, "text/html", ""), [11200], []),
        (Answer(403, "application/json", "{}"), [11200], []),
        (Answer(500, "text/xml", "<Response><Message>hi</Message></Response>"), [11200], []),
    ],
)
def test_what_an_answer_does(
    standin: TwilioStandIn, webhook: Receiver, answer: Answer, codes: list[int], replies: list[str]
) -> None:
    webhook.answers = [answer]
    exchange = standin.receive_text(PERSON, "Hi")
    standin.settle()

    assert exchange.status == answer.status
    assert [alert.code for alert in standin.alerts] == codes
    assert [text.body for text in standin.texts_to(PERSON)] == replies


def test_a_failure_is_not_retried_unless_the_url_says_so(standin: TwilioStandIn, webhook: Receiver) -> None:
    webhook.answers = [Answer(500)]
    exchange = standin.receive_text(PERSON, "Hi")

    assert (exchange.outcomes, len(webhook.requests)) == (["500"], 1)
    [alert] = standin.alerts
    assert (alert.code, alert.text, alert.url) == (11200, "HTTP retrieval failure", f"{webhook.url}/sms")
    assert alert.message_sid == exchange.fields["MessageSid"]


@pytest.mark.parametrize(
    ("fragment", "answers", "outcomes"),
    [
        ("rc=3&rp=5xx", [Answer(503), Answer(500), OK], ["503", "500", "200"]),
        ("rc=1&rp=5xx", [Answer(503), Answer(500), OK], ["503", "500"]),
        ("rc=0&rp=5xx", [Answer(503), OK], ["503"]),
        ("rc=3&rp=5xx", [Answer(404), OK], ["404"]),
        ("rc=3&rp=4xx", [Answer(404), OK], ["404", "200"]),
        ("rc=3&rp=all", [Answer(404), Answer(500), OK], ["404", "500", "200"]),
        ("rc=2&rp=rt&rt=300", [Answer(delay=0.9), OK], ["rt", "200"]),
        ("rc=2&rp=ct&rt=100", [Answer(delay=0.9), OK], ["rt"]),
        ("rc=5&rp=rt&rt=300&tt=500", [Answer(delay=0.9)] * 3, ["rt", "rt"]),
    ],
)
def test_retries_follow_the_fragment_and_keep_their_token(
    standin: TwilioStandIn, webhook: Receiver, fragment: str, answers: list[Answer], outcomes: list[str]
) -> None:
    standin.sms_url, webhook.answers = f"{webhook.url}/sms#{fragment}", answers
    exchange = standin.receive_text(PERSON, "Hi")

    assert exchange.outcomes == outcomes
    assert len(webhook.requests) == len(outcomes)
    assert {request.headers["i-twilio-idempotency-token"] for request in webhook.requests} == {exchange.idempotency_token}
    assert {request.body for request in webhook.requests} == {webhook.requests[0].body}
    assert [alert.code for alert in standin.alerts] == ([] if exchange.status == 200 else [11200])


def test_no_connection_is_tried_once_more_by_default(standin: TwilioStandIn) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        standin.sms_url = f"http://127.0.0.1:{unused.getsockname()[1]}/sms"
        exchange = standin.receive_text(PERSON, "Hi")

    assert (exchange.status, exchange.outcomes) == (None, ["ct", "ct"])
    assert [alert.code for alert in standin.alerts] == [11205]


@pytest.mark.parametrize(("fragment", "code"), [("rp=often", 11243), ("rc=6", 11100), ("rt=15001", 11100), ("ct=x", 11100)])
def test_a_bad_override_is_an_alert_and_nothing_is_sent(
    standin: TwilioStandIn, webhook: Receiver, fragment: str, code: int
) -> None:
    standin.sms_url = f"{webhook.url}/sms#{fragment}"
    exchange = standin.receive_text(PERSON, "Hi")

    assert (exchange.attempts, webhook.requests) == (0, [])
    assert [alert.code for alert in standin.alerts] == [code]


def send(client: Client) -> int:
    """The error code of a text to the person, 0 where it was accepted."""
    try:
        client.messages.create(to=PERSON, from_=NUMBER, body="Are you there?")
    except TwilioRestException as error:
        return int(error.code or -1)
    return 0


@pytest.mark.parametrize("word", ["STOP", " stop\n", "Unsubscribe", "end", "QUIT", "stopall", "revoke", "optout", "Cancel"])
def test_stop_blocks_the_pair_and_start_reopens_it(
    standin: TwilioStandIn, webhook: Receiver, client: Client, word: str
) -> None:
    standin.receive_text(PERSON, word)
    blocked = send(client)
    standin.receive_text(PERSON, "start")

    assert (blocked, send(client)) == (21610, 0)
    assert [request.fields["Body"] for request in webhook.requests] == [word, "start"]  # the webhook hears it all the same
    assert [text.body.split(".")[0] for text in standin.texts_to(PERSON)[:2]] == [
        "You have successfully been unsubscribed",
        "You have successfully been re-subscribed to messages from this number",
    ]
    assert [message.direction for message in standin.messages[:2]] == ["inbound", "inbound"]


@pytest.mark.parametrize("body", ["STOP please", "Please stop", "", "yes", "Start", "ARRET"])
def test_other_texts_change_nothing(standin: TwilioStandIn, client: Client, body: str) -> None:
    standin.receive_text(PERSON, body)

    assert standin.texts_to(PERSON) == []
    assert send(client) == 0


def test_a_twiml_reply_to_who_said_stop_is_an_alert(standin: TwilioStandIn, webhook: Receiver, client: Client) -> None:
    webhook.default = twiml("<Message>You are unsubscribed.</Message>")
    standin.receive_text(PERSON, "STOP")

    assert [alert.code for alert in standin.alerts] == [21610]
    assert len(standin.texts_to(PERSON)) == 1  # Twilio's own
    with pytest.raises(TwilioRestException, match="unsubscribed recipient"):
        client.messages.create(to=PERSON, messaging_service_sid=SERVICE, body="Hello")


def test_a_text_to_an_own_number_comes_back_as_inbound(standin: TwilioStandIn, webhook: Receiver, client: Client) -> None:
    client.messages.create(to=NUMBER, from_="+15005550006", body="To myself")
    standin.settle()
    outbound, inbound = standin.messages

    assert (outbound.direction, inbound.direction) == ("outbound-api", "inbound")
    assert webhook.requests[0].fields["Body"] == "To myself"
    assert webhook.requests[0].fields["MessageSid"] == inbound.sid != outbound.sid


def test_only_the_last_thousand_exchanges_are_kept(standin: TwilioStandIn) -> None:
    standin.sms_url = "http://127.0.0.1:1/#rc=9"  # refused before anything is sent, so it is fast
    for index in range(1001):
        standin.receive_text(PERSON, str(index))

    kept = [exchange.fields["Body"] for exchange in standin.exchanges]
    assert (len(kept), kept[0], kept[-1]) == (1000, "1", "1000")
