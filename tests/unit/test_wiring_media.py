"""The functions for media and for forgetting as `functions/` builds them, over moto and a Twilio on the loopback."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.unit.deployed import OURS, THEIRS, Stack, webhook
from tests.unit.fakes import LambdaContext
from tests.unit.fakes_media import PNG
from tests.unit.http_server import Answer, Server, running
from twilio_plugin.errors import RecipientOptedOut
from twilio_plugin.runtime.wiring import media, texts, upkeep

ACCOUNT, SID = "AC" + "0" * 32, "MM" + "1" * 32
MEDIUM = f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{SID}/Media/ME{'2' * 32}"
MESSAGE = {"sid": "SM9", "account_sid": ACCOUNT, "status": "queued", "error_code": None, "body": "", "num_media": "1"}


class Bytes(str):
    """Text whose bytes are its characters, for what is no text."""

    __slots__ = ()

    def encode(self, *_args: Any, **_kwargs: Any) -> bytes:
        return str.encode(self, "latin-1")


@pytest.fixture
def twilio(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with running() as server:
        monkeypatch.setenv("TWILIO_API_BASE_URL", server.url)
        monkeypatch.setenv("TWILIO_ACCOUNT_SID", ACCOUNT)
        yield server


def picture(twilio: Server, **more: str) -> dict[str, str]:
    form = {"AccountSid": ACCOUNT, "Body": "Look", "From": THEIRS, "MessageSid": SID, "To": OURS, "NumMedia": "1"}
    return form | {"MediaUrl0": twilio.url + MEDIUM, "MediaContentType0": "image/png"} | more


def on_the_bus(detail: dict[str, Any]) -> dict[str, Any]:
    return {"detail-type": "SMS_RECEIVED", "source": "twilio.plugin", "detail": detail}


def receive(stack: Stack, twilio: Server, context: LambdaContext) -> dict[str, Any]:
    assert texts.sms_webhook()(webhook(picture(twilio)), context)["statusCode"] == 200
    ((_, detail),) = stack.announced()
    return detail


def test_a_picture_goes_from_the_webhook_into_the_bucket_and_its_copy_into_the_history(
    stack: Stack, twilio: Server, context: LambdaContext
) -> None:
    detail = receive(stack, twilio, context)
    twilio.script = [Answer(200, Bytes(PNG.decode("latin-1")), "image/png")]

    media.copy_media()(on_the_bus(detail), context)

    key = detail["media"][0]["s3_key"]
    stored = boto3.client("s3").get_object(Bucket=stack.bucket, Key=key)
    assert (stored["Body"].read(), stored["ContentType"]) == (PNG, "image/png")
    assert [kind for kind, _ in stack.announced()] == ["MEDIA_STORED"]
    (message,) = texts.conversation_history()({"phone_number": THEIRS}, context)["messages"]
    assert message["media"] == [
        {"url": twilio.url + MEDIUM, "content_type": "image/png", "s3_key": key, "size": len(PNG)},
    ]


def test_a_link_that_was_sent_serves_the_object(stack: Stack, twilio: Server, context: LambdaContext) -> None:
    boto3.client("s3").put_object(Bucket=stack.bucket, Key="menu.png", Body=PNG, ContentType="image/png")
    twilio.script = [Answer(201, json.dumps(MESSAGE))]

    texts.send_mms()({"to": THEIRS, "media_url": [f"s3://{stack.bucket}/menu.png"]}, context)

    (link,) = twilio.asked[0].form["MediaUrl"]
    token = link.removeprefix("https://example.com/webhooks/twilio/media/")
    assert token != link
    serve = media.serve_media()
    event = {"requestContext": {"http": {"method": "GET"}}, "pathParameters": {"token": token}}
    answer = serve(event, context)
    assert (answer["statusCode"], base64.b64decode(answer["body"])) == (200, PNG)
    event["pathParameters"] = {"token": token[:-1] + ("0" if token[-1] != "0" else "1")}
    assert serve(event, context) == {"statusCode": 404}
    ((_, sent),) = stack.announced()
    assert sent["media_url"] == [f"s3://{stack.bucket}/menu.png"]
    assert token not in json.dumps(sent)


def test_a_template_is_asked_of_twilio_as_it_wants_it(stack: Stack, twilio: Server, context: LambdaContext) -> None:
    twilio.script = [Answer(201, json.dumps(MESSAGE | {"body": "Hello Ada"}))]
    template = "HX" + "0" * 32

    sent = texts.send_sms()({"to": f"whatsapp:{THEIRS}", "content_sid": template, "content_variables": {"1": "Ada"}}, context)

    form = twilio.asked[0].form
    assert (form["ContentSid"], form["ContentVariables"]) == ([template], ['{"1": "Ada"}'])
    assert (form["To"], form["From"]) == ([f"whatsapp:{THEIRS}"], [f"whatsapp:{OURS}"])
    assert not {"Body", "MediaUrl"} & form.keys()
    assert sent["messages"][0]["body"] == "Hello Ada"


def test_a_template_without_placeholders_goes_without_variables(stack: Stack, twilio: Server, context: LambdaContext) -> None:
    twilio.script = [Answer(201, json.dumps(MESSAGE))]

    texts.send_sms()({"to": f"whatsapp:{THEIRS}", "content_sid": "HX" + "0" * 32}, context)

    assert "ContentVariables" not in twilio.asked[0].form


def test_a_person_is_forgotten_in_every_table_and_still_not_texted_after_a_stop(
    stack: Stack, twilio: Server, context: LambdaContext
) -> None:
    detail = receive(stack, twilio, context)
    key = detail["media"][0]["s3_key"]
    boto3.client("s3").put_object(Bucket=stack.bucket, Key=key, Body=PNG)
    stop = picture(twilio, Body="STOP", NumMedia="0", MessageSid="SM" + "3" * 32)
    texts.sms_webhook()(webhook(stop), context)

    done = upkeep.forget()({"phone_number": THEIRS}, context)

    assert done["complete"]
    assert (done["conversations"], done["outbox"], done["media"]) == (4, 2, 1)
    for table in (stack.conversations, stack.calls, stack.outbox, stack.frames):
        assert "4155550123" not in json.dumps(stack.dynamodb.scan(TableName=table)["Items"])
    assert "Contents" not in boto3.client("s3").list_objects_v2(Bucket=stack.bucket)
    with pytest.raises(RecipientOptedOut):
        texts.send_sms()({"to": THEIRS, "body": "Hello"}, context)
    start = picture(twilio, Body="START", NumMedia="0", MessageSid="SM" + "4" * 32)
    texts.sms_webhook()(webhook(start), context)
    twilio.script = [Answer(201, json.dumps(MESSAGE))]
    assert texts.send_sms()({"to": THEIRS, "body": "Hello"}, context)["messages"]


def test_at_twilio_the_media_of_a_message_go_before_it(stack: Stack, twilio: Server, context: LambdaContext) -> None:
    receive(stack, twilio, context)
    listed = {"media_list": [{"sid": "ME" + "2" * 32, "parent_sid": SID, "account_sid": ACCOUNT}], "next_page_uri": None}
    fetched = Answer(200, json.dumps(MESSAGE | {"sid": SID}))
    twilio.script = [fetched, Answer(200, json.dumps(listed)), Answer(204, ""), Answer(204, "")]

    assert upkeep.forget()({"phone_number": THEIRS, "at_twilio": True}, context)["at_twilio"] == 1

    assert [(one.method, one.path.partition("?")[0]) for one in twilio.asked] == [
        ("GET", f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{SID}.json"),
        ("GET", f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{SID}/Media.json"),
        ("DELETE", f"{MEDIUM}.json"),
        ("DELETE", f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{SID}.json"),
    ]


def test_what_twilio_has_forgotten_already_is_no_trouble(stack: Stack, twilio: Server, context: LambdaContext) -> None:
    receive(stack, twilio, context)
    twilio.script = [Answer(404, json.dumps({"code": 20404, "message": "not found", "status": 404}))]

    assert upkeep.forget()({"phone_number": THEIRS, "at_twilio": True}, context)["complete"]
