"""The socket's functions as API Gateway and Lambda call them; the handshake's other side is Twilio's `RequestValidator`."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from tests.unit.fakes import LambdaContext
from tests.unit.test_twilio_signature import PREVIOUS, TOKEN, Fields, sign
from tools import samples
from twilio_plugin.adapters.twilio_signature import is_signed_handshake
from twilio_plugin.domain.media_stream import Frame, Key, Mark, StreamStart, StreamStop
from twilio_plugin.errors import Misconfigured, PluginError, StorageUnavailable, StreamRefused
from twilio_plugin.runtime.websocket import authorizer, frames, messages, session

PUBLIC = "wss://phone.example.com/live"
DOMAIN = "abc123.execute-api.eu-central-1.amazonaws.com"
METHOD = "arn:aws:execute-api:eu-central-1:123456789012:abc123/live/$connect"
NOW = 1795335221.9
CONNECTION, EXPIRES_AT = "L0SM9cOFvHcCIhw=", 1795346021
SAMPLES = samples.invocations()
OK = {"statusCode": 200}


# ------------------------------------------------------------------------------------------------------------ handshakes


def check(signature: str, urls: list[str]) -> bool:
    return is_signed_handshake(signature, urls, [TOKEN, PREVIOUS])


def handshake(signature: str | None, *, header: str = "X-Twilio-Signature", **changes: Any) -> dict[str, Any]:
    headers = {"Host": DOMAIN, "Upgrade": "websocket"} | ({} if signature is None else {header: signature})
    context = {"routeKey": "$connect", "eventType": "CONNECT", "domainName": DOMAIN, "stage": "live"}
    return {"type": "REQUEST", "methodArn": METHOD, "headers": headers, "requestContext": context} | changes


def effect(answer: dict[str, Any]) -> str:
    """Of a policy as API Gateway wants it, for every route of the stage and nothing else."""
    (statement,) = answer["policyDocument"]["Statement"]
    assert answer["policyDocument"]["Version"] == "2012-10-17"
    assert statement["Action"] == "execute-api:Invoke"
    assert statement["Resource"] == "arn:aws:execute-api:eu-central-1:123456789012:abc123/live/*"
    assert all(isinstance(value, str) for value in answer["context"].values())
    found: str = statement["Effect"]
    return found


def authorize(
    event: Any, *, websocket_url: str = PUBLIC, admits_source: Callable[[str], bool] = lambda _: True
) -> dict[str, Any]:
    answer: dict[str, Any] = authorizer(check, websocket_url, admits_source=admits_source, clock=lambda: NOW)(
        event, LambdaContext()
    )
    return answer


def test_twilio_is_let_in_and_told_how_long_its_audio_is_kept() -> None:
    answer = authorize(handshake(sign(PUBLIC, Fields([]))))

    assert effect(answer) == "Allow"
    assert answer["context"] == {"expires_at": str(1795335221 + 3 * 3600)}


def test_a_handshake_from_another_source_is_refused_though_twilio_signed_it() -> None:
    event = handshake(sign(PUBLIC, Fields([])))
    asked: list[str] = []

    def admits_nobody(address: str) -> bool:
        asked.append(address)
        return False

    contexts: list[dict[str, Any]] = [{"identity": {"sourceIp": "203.0.113.7"}}, {"identity": {}}, {}]
    for context in contexts:
        event["requestContext"] = {
            name: value for name, value in event["requestContext"].items() if name != "identity"
        } | context
        assert effect(authorize(event, admits_source=admits_nobody)) == "Deny"
    event["requestContext"]["identity"] = {"sourceIp": "203.0.113.7"}
    assert effect(authorize(event, admits_source=lambda address: address == "203.0.113.7")) == "Allow"

    assert asked == ["203.0.113.7", "", ""]


def test_the_sample_is_let_in() -> None:
    def signed(signature: str, urls: list[str]) -> bool:
        return is_signed_handshake(signature, urls, [samples.AUTH_TOKEN])

    answer = authorizer(signed, samples.WEBSOCKET_URL, admits_source=lambda _: True)(
        SAMPLES["stream_authorizer/handshake"], LambdaContext()
    )

    assert answer["policyDocument"]["Statement"][0]["Effect"] == "Allow"


@pytest.mark.parametrize("header", ["X-Twilio-Signature", "x-twilio-signature", "X-TWILIO-SIGNATURE"])
@pytest.mark.parametrize(
    "url", [PUBLIC, f"{PUBLIC}/", "wss://phone.example.com:443/live", f"wss://{DOMAIN}/live", f"wss://{DOMAIN}:443/live/"]
)
def test_twilio_may_have_connected_to_any_form_of_either_address(url: str, header: str) -> None:
    assert effect(authorize(handshake(sign(url, Fields([])), header=header))) == "Allow"


def test_what_the_twilio_package_itself_would_not_accept_is_accepted() -> None:
    """Its validator tries port 80 for ``wss``."""
    signature = sign("wss://phone.example.com:443/live", Fields([]))

    assert not RequestValidator(TOKEN).validate(PUBLIC, {}, signature)
    assert effect(authorize(handshake(signature))) == "Allow"


@pytest.mark.parametrize(
    "event",
    [
        handshake(None),
        handshake(""),
        handshake("x"),
        handshake("é"),
        handshake(sign(PUBLIC, Fields([]), "c" * 32)),
        handshake(sign("wss://elsewhere.example.com/live", Fields([]))),
        handshake(sign(f"{PUBLIC}?a=1", Fields([]))),
        handshake(sign(PUBLIC, Fields([])), headers=None),
        handshake(sign(PUBLIC, Fields([])), headers={}),
    ],
)
def test_a_stranger_is_refused(event: dict[str, Any], log: io.StringIO) -> None:
    assert effect(authorize(event)) == "Deny"
    assert "handshake refused" in log.getvalue()


@given(st.dictionaries(st.text(), st.text()))
def test_nothing_in_a_strangers_headers_raises(headers: dict[str, str]) -> None:
    assert effect(authorize(handshake(None, headers=headers | {"x-twilio-signature": "x"}))) == "Deny"


@pytest.mark.parametrize("trouble", [StorageUnavailable("down"), Misconfigured("no token"), RuntimeError("what?")])
def test_a_check_that_cannot_be_made_is_a_refusal(trouble: Exception, log: io.StringIO) -> None:
    def broken(_signature: str, _urls: list[str]) -> bool:
        raise trouble

    answer = authorizer(broken, PUBLIC, admits_source=lambda _: True)(handshake("x"), LambdaContext())

    assert effect(answer) == "Deny"
    assert json.loads(log.getvalue())["level"] == "ERROR"


def test_the_signature_is_not_logged(log: io.StringIO) -> None:
    authorize(handshake("some-signature"))

    assert "some-signature" not in log.getvalue()


def test_an_authorizer_is_warmed_without_a_look_at_the_secret() -> None:
    def never(_signature: str, _urls: list[str]) -> bool:
        raise AssertionError

    assert authorizer(never, PUBLIC, admits_source=lambda _: True)({"warm": True}, LambdaContext()) == {}


# -------------------------------------------------------------------------------------------------------------- messages


@dataclass
class Cases:
    """What happened on a socket, in order."""

    trouble: Exception | None = None
    happened: list[tuple[Any, ...]] = field(default_factory=list)

    def start(self, connection_id: str, start: StreamStart, expires_at: int) -> None:
        self._happens("start", connection_id, start, expires_at)

    def stop(self, connection_id: str, stop: StreamStop) -> None:
        self._happens("stop", connection_id, stop)

    def mark(self, connection_id: str, mark: Mark) -> None:
        self._happens("mark", connection_id, mark)

    def key(self, connection_id: str, key: Key) -> None:
        self._happens("key", connection_id, key)

    def closed(self, connection_id: str) -> None:
        self._happens("closed", connection_id)

    def session_died(self, payload: Mapping[str, Any]) -> None:
        self._happens("session_died", payload)

    def _happens(self, *what: Any) -> None:
        self.happened.append(what)
        if self.trouble:
            raise self.trouble


def receive(event: Any, cases: Cases) -> Any:
    return messages(cases)(event, LambdaContext())


@pytest.mark.parametrize(
    ("sample", "happened"),
    [
        ("mark", ("mark", CONNECTION, Mark(samples.STREAM, f"{samples.UTTERANCE}:1"))),
        ("key", ("key", CONNECTION, Key(samples.STREAM, 117, "1"))),
        ("stop", ("stop", CONNECTION, StreamStop(samples.STREAM, 2077))),
        ("closed", ("closed", CONNECTION)),
        (
            "session_died",
            ("session_died", {"call_sid": samples.CALL, "leg": 0, "session_id": SAMPLES["call_session/begin"]["session_id"]}),
        ),
    ],
)
def test_everything_has_a_use_case(sample: str, happened: tuple[Any, ...]) -> None:
    cases = Cases()

    assert receive(SAMPLES[f"media_stream/{sample}"], cases) == OK
    assert cases.happened == [happened]


def test_a_stream_that_starts_brings_its_parameters_and_the_authorizers_word() -> None:
    cases = Cases()

    assert receive(SAMPLES["media_stream/start"], cases) == OK

    ((name, connection_id, start, expires_at),) = cases.happened
    assert (name, connection_id, expires_at) == ("start", CONNECTION, EXPIRES_AT)
    assert (start.stream_sid, start.call_sid, start.account_sid) == (samples.STREAM, samples.CALL, samples.ACCOUNT)
    assert list(start.parameters) == ["token"]


@pytest.mark.parametrize(
    "event",
    [
        SAMPLES["frame_ingest/frame"],
        SAMPLES["media_stream/stop"] | {"body": '{"event": "connected", "protocol": "Call", "version": "1.0.0"}'},
        {"warm": True},
        {},
    ],
)
def test_audio_connected_and_warm_ups_are_nothing_to_do(event: dict[str, Any], log: io.StringIO) -> None:
    cases = Cases()

    assert receive(event, cases) == OK
    assert cases.happened == []
    assert log.getvalue() == ""


def test_a_warm_up_that_failed_is_no_sessions_death() -> None:
    cases = Cases()

    assert receive(SAMPLES["media_stream/session_died"] | {"requestPayload": {"warm": True}}, cases) == OK
    assert cases.happened == []


@pytest.mark.parametrize(
    "body", ["", "x", "[]", "null", '{"event": "new"}', '{"event": "start"}', '{"event": "mark", "mark": 1}', None]
)
def test_what_cannot_be_read_is_answered_and_logged_without_its_text(body: Any, log: io.StringIO) -> None:
    cases = Cases()

    assert receive(SAMPLES["media_stream/stop"] | {"body": body}, cases) == OK
    assert cases.happened == []
    written = json.loads(log.getvalue())
    assert (written["level"], written["connection_id"]) == ("ERROR" if body is None else "WARNING", CONNECTION)


@given(st.text())
def test_nothing_that_is_said_on_a_socket_raises(body: str) -> None:
    event = SAMPLES["media_stream/stop"] | {"body": body}

    assert receive(event, Cases()) == OK
    assert frames(Frames())(event, LambdaContext()) == OK


@pytest.mark.parametrize("sample", ["start", "mark", "key", "stop", "closed"])
@pytest.mark.parametrize("trouble", [StreamRefused("no"), StorageUnavailable("down"), RuntimeError("at +14155550123")])
def test_whatever_goes_wrong_twilio_is_answered_and_the_log_has_it(sample: str, trouble: Exception, log: io.StringIO) -> None:
    cases = Cases(trouble)

    assert receive(SAMPLES[f"media_stream/{sample}"], cases) == OK
    assert len(cases.happened) == 1
    assert type(trouble).__name__ in log.getvalue()
    assert "4155550123" not in log.getvalue()


def test_a_death_that_could_not_be_dealt_with_is_tried_again_by_lambda() -> None:
    with pytest.raises(StorageUnavailable):
        receive(SAMPLES["media_stream/session_died"], Cases(StorageUnavailable("down")))


def test_no_token_and_no_digit_is_logged(log: io.StringIO) -> None:
    for sample in ("start", "key"):
        receive(SAMPLES[f"media_stream/{sample}"], Cases(StreamRefused("no")))

    token = json.loads(SAMPLES["media_stream/start"]["body"])["start"]["customParameters"]["token"]
    assert token not in log.getvalue()
    assert '"digit"' not in log.getvalue()


# ---------------------------------------------------------------------------------------------------------------- frames


@dataclass
class Frames:
    trouble: Exception | None = None
    kept: list[tuple[str, Frame, str, int]] = field(default_factory=list)

    def __call__(self, connection_id: str, frame: Frame, *, stream_sid: str, expires_at: int) -> None:
        self.kept.append((connection_id, frame, stream_sid, expires_at))
        if self.trouble:
            raise self.trouble


def test_a_frame_is_kept_for_its_connection() -> None:
    kept = Frames()

    assert frames(kept)(SAMPLES["frame_ingest/frame"], LambdaContext()) == OK
    assert kept.kept == [(CONNECTION, Frame(2, 1, 5, "inbound", b"\xff" * 160), samples.STREAM, EXPIRES_AT)]


@pytest.mark.parametrize("sample", ["media_stream/start", "media_stream/stop", "media_stream/closed"])
def test_what_is_no_frame_is_not_kept(sample: str) -> None:
    kept = Frames()

    assert frames(kept)(SAMPLES[sample], LambdaContext()) == OK
    assert kept.kept == []


@pytest.mark.parametrize("trouble", [StorageUnavailable("down"), RuntimeError("what?")])
def test_a_frame_that_cannot_be_kept_is_answered_too(trouble: PluginError | RuntimeError, log: io.StringIO) -> None:
    assert frames(Frames(trouble))(SAMPLES["frame_ingest/frame"], LambdaContext()) == OK
    assert type(trouble).__name__ in log.getvalue()


# -------------------------------------------------------------------------------------------------------------- sessions


class Remaining(LambdaContext):
    def get_remaining_time_in_millis(self) -> int:
        return 899_000


def test_a_session_is_run_with_what_it_is_told_and_the_time_it_has() -> None:
    ran: list[tuple[str, int, str, int]] = []

    def run(call_sid: str, leg: int, session_id: str, remaining: Callable[[], int]) -> None:
        ran.append((call_sid, leg, session_id, remaining()))

    payload = SAMPLES["call_session/begin"]
    assert session(run)(payload, Remaining()) is None
    assert ran == [(samples.CALL, 0, payload["session_id"], 899_000)]


def test_a_session_is_warmed_without_running() -> None:
    def never(_call_sid: str, _leg: int, _session_id: str, _remaining: Callable[[], int]) -> None:
        raise AssertionError

    assert session(never)(SAMPLES["call_session/warm"], Remaining()) is None


def test_what_kills_a_session_is_raised_so_that_another_starts() -> None:
    def dies(_call_sid: str, _leg: int, _session_id: str, _remaining: Callable[[], int]) -> None:
        raise StorageUnavailable("down")

    with pytest.raises(StorageUnavailable):
        session(dies)(SAMPLES["call_session/begin"], Remaining())
