"""Where the WebSocket API meets the services: handshakes, messages, audio frames and the sessions that listen to them.

Nothing that a function returns goes out on the socket, and the text of one that fails would reach Twilio as an invalid message
(31951): so every message is answered 200, and what went wrong is in the log. Only what Lambda repeats or restarts is raised.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from twilio_plugin.domain.media_stream import Frame, Key, Mark, StreamStart, StreamStop, read_frame, read_message
from twilio_plugin.domain.metrics import WEBHOOKS_REFUSED, of_refusal
from twilio_plugin.errors import InvalidSignature, StreamRefused, UnreadableMessage, UnverifiedSignature
from twilio_plugin.runtime.metrics import emit
from twilio_plugin.runtime.observability import correlate, logger

# A connection lasts two hours at most; what it leaves behind is deleted an hour later.
LIFETIME_SECONDS = 3 * 3600

Event = dict[str, Any]
Response = dict[str, Any]
Handler = Callable[[Any, Any], Any]
IsSigned = Callable[[str, list[str]], bool]
"""Signature, candidate URLs → whether Twilio signed a handshake for one of them. May raise UnverifiedSignature."""
RunSession = Callable[[str, int, str, Callable[[], int]], None]
"""Call SID, leg, session id, and what tells the milliseconds that are left."""


class PutFrame(Protocol):
    """Keep a frame until an epoch second."""

    def __call__(self, connection_id: str, frame: Frame, *, stream_sid: str, expires_at: int) -> None: ...


class SocketCases(Protocol):
    """What happens on a socket, but for the audio."""

    def start(self, connection_id: str, start: StreamStart, expires_at: int) -> None:
        """A stream begins. `expires_at` is the epoch second until which its frames are kept."""

    def stop(self, connection_id: str, stop: StreamStop) -> None:
        """Twilio sends no more audio."""

    def mark(self, connection_id: str, mark: Mark) -> None:
        """Playback has reached a mark."""

    def key(self, connection_id: str, key: Key) -> None:
        """The person pressed a key."""

    def closed(self, connection_id: str) -> None:
        """The socket is closed, by whomever."""

    def session_died(self, payload: Mapping[str, Any]) -> None:
        """A session of `session` raised, or ran out of time or memory; `payload` is what it was invoked with."""


def authorizer(
    check: IsSigned, websocket_url: str, *, admits_source: Callable[[str], bool], clock: Callable[[], float] = time.time
) -> Handler:
    """A REQUEST authorizer of ``$connect``: an IAM policy that lets Twilio in and nobody else.

    `admits_source` says whether a handshake may come from an IP address.

    Its context is what every later message of the connection brings along: ``expires_at``, epoch seconds. Whatever goes wrong
    is a refusal.
    """

    @logger.inject_lambda_context(clear_state=True)
    def lambda_handler(event: Event, _context: Any) -> Response:
        if "methodArn" not in event:  # a warm-up
            return {}
        signed = False
        try:
            headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
            signature = headers.get("x-twilio-signature", "")
            admitted = admits_source(event.get("requestContext", {}).get("identity", {}).get("sourceIp", ""))
            signed = admitted and bool(signature) and check(signature, _urls(event, websocket_url))
            if not signed:
                reason = InvalidSignature.__name__ if signature else "no signature"
                logger.warning("handshake refused", extra={"reason": reason if admitted else "SourceNotAllowed"})
                emit(of_refusal(WEBHOOKS_REFUSED, InvalidSignature.__name__ if admitted else "SourceNotAllowed"))
        except UnverifiedSignature as doubt:
            logger.warning("handshake refused", extra={"reason": type(doubt).__name__})
            emit(of_refusal(WEBHOOKS_REFUSED, type(doubt).__name__))
        except Exception:
            logger.exception("handshake could not be checked")
        return _policy(event["methodArn"], allowed=signed) | {"context": {"expires_at": str(int(clock()) + LIFETIME_SECONDS)}}

    return lambda_handler


def messages(cases: SocketCases) -> Handler:
    """A handler for the socket's messages, its end, sessions that died, and warm-ups.

    A session's death comes as an asynchronous invocation (Lambda's on-failure destination). Errors are raised there, so that
    Lambda tries again.
    """

    @logger.inject_lambda_context(clear_state=True)
    def lambda_handler(event: Event, _context: Any) -> Response:
        if "requestPayload" in event:
            logger.warning("session died", extra={"condition": event["requestContext"]["condition"]})
            if not event["requestPayload"].get("warm"):
                cases.session_died(event["requestPayload"])
        elif "requestContext" in event:
            answered(event, lambda: _dispatch(event, cases))
        return {"statusCode": 200}

    return lambda_handler


def frames(put: PutFrame) -> Handler:
    """A handler for ``media`` messages that stores what API Gateway stores by itself where no function is in between."""

    def store(event: Event) -> None:
        stream_sid, frame = read_frame(event["body"])
        put(event["requestContext"]["connectionId"], frame, stream_sid=stream_sid, expires_at=_expires_at(event))

    @logger.inject_lambda_context(clear_state=True)
    def lambda_handler(event: Event, _context: Any) -> Response:
        answered(event, lambda: store(event))
        return {"statusCode": 200}

    return lambda_handler


def session(run: RunSession) -> Handler:
    """A handler that runs a session: ``{"call_sid": …, "leg": 0, "session_id": …}``, or ``{"warm": true}`` for nothing.

    What it raises starts another one, through the on-failure destination.
    """

    @logger.inject_lambda_context(clear_state=True)
    def lambda_handler(payload: Mapping[str, Any], context: Any) -> None:
        if payload.get("warm"):
            return
        logger.append_keys(call_sid=payload["call_sid"], leg=payload["leg"], session_id=payload["session_id"])
        correlate(payload["call_sid"])
        logger.info("session begins")
        run(payload["call_sid"], payload["leg"], payload["session_id"], context.get_remaining_time_in_millis)
        logger.info("session ends")

    return lambda_handler


def answered(event: Event, work: Callable[[], None]) -> None:
    """Do the work of a message; what goes wrong is in the log, and nowhere else."""
    context = event["requestContext"]
    logger.append_keys(connection_id=context.get("connectionId"), route=context.get("routeKey"))
    try:
        work()
    except (StreamRefused, UnreadableMessage) as refusal:
        logger.warning("message refused", extra={"reason": type(refusal).__name__})
    except Exception:
        logger.exception("message failed")


def _dispatch(event: Event, cases: SocketCases) -> None:
    connection_id = event["requestContext"]["connectionId"]
    if event["requestContext"].get("eventType") == "DISCONNECT":
        cases.closed(connection_id)
        return
    match read_message(event["body"]):
        case StreamStart() as start:
            logger.append_keys(call_sid=start.call_sid)
            correlate(start.call_sid)
            cases.start(connection_id, start, _expires_at(event))
        case StreamStop() as stop:
            cases.stop(connection_id, stop)
        case Mark() as mark:
            cases.mark(connection_id, mark)
        case Key() as key:
            cases.key(connection_id, key)


def _expires_at(event: Event) -> int:
    return int(event["requestContext"]["authorizer"]["expires_at"])


def _urls(event: Event, websocket_url: str) -> list[str]:
    """The URLs Twilio may have connected to: the configured one, and the one API Gateway saw."""
    context = event["requestContext"]
    return [websocket_url, f"wss://{context['domainName']}/{context['stage']}"]


def _policy(method_arn: str, *, allowed: bool) -> Response:
    """For all routes of the stage: ``arn:aws:execute-api:<region>:<account>:<api>/<stage>/$connect`` names only one."""
    resource = "/".join([*method_arn.split("/")[:2], "*"])
    statement = {"Action": "execute-api:Invoke", "Effect": "Allow" if allowed else "Deny", "Resource": resource}
    return {
        "principalId": "twilio" if allowed else "stranger",
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
    }
