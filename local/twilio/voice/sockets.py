"""Sockets to our side, for streams and relays: the signed handshake, and a connection that breaks."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp

CONNECT_SECONDS = 10.0  # of ours
MESSAGES = frozenset({aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY})


class NotConnected(Exception):
    """No socket came about. ``why`` is ``refused`` (an HTTP status instead), ``timeout`` or ``unreachable``."""

    def __init__(self, why: str, detail: str) -> None:
        super().__init__(detail)
        self.why = why


@asynccontextmanager
async def connected(url: str, signature: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A socket with Twilio's handshake, closed in the end. Raises NotConnected."""
    headers = {"X-Twilio-Signature": signature}
    async with aiohttp.ClientSession(headers={"User-Agent": "Twilio.TmeWs/1.0"}) as client:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                connection = await client.ws_connect(url, headers=headers, timeout=aiohttp.ClientWSTimeout(ws_close=1.0))
        except aiohttp.WSServerHandshakeError as error:
            raise NotConnected("refused", f"answered {error.status}") from None
        except TimeoutError:
            raise NotConnected("timeout", "no answer in time") from None
        except aiohttp.ClientError as error:
            raise NotConnected("unreachable", type(error).__name__) from None
        async with connection:
            yield connection


def cut(connection: aiohttp.ClientWebSocketResponse) -> None:
    """Break the connection without a word; does nothing where it is gone already."""
    if (ours := connection.get_extra_info("socket")) is not None:
        with suppress(OSError):
            ours.shutdown(socket.SHUT_RDWR)


def close_code(connection: aiohttp.ClientWebSocketResponse, last: aiohttp.WSMessage) -> int | None:
    """What a connection was closed with; ``last`` is what was received last of it.

    aiohttp takes a close that it could not answer any more for a lost connection.
    """
    return last.data if last.type is aiohttp.WSMsgType.CLOSE else connection.close_code


def read_object(text: str) -> dict[str, Any]:
    """The JSON object that our side sent. Raises ValueError that says what it is instead."""
    try:
        message = json.loads(text)
    except ValueError:
        raise ValueError("not JSON") from None
    if not isinstance(message, dict):
        raise ValueError("not an object")
    return message
