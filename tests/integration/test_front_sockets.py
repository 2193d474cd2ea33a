"""The front passes WebSockets: both ways, with their headers, refusals and close codes."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import aiohttp
import pytest

from local.front import Front

from .sockets import SocketServer

T = TypeVar("T")


@pytest.fixture
def front(ours: SocketServer) -> Iterator[Front]:
    with Front(0, f"http://127.0.0.1:{ours.server.port}") as front:
        front.pass_sockets_to("abc123")
        yield front


def through(
    front: Front, talk: Callable[[aiohttp.ClientWebSocketResponse], Awaitable[T]], path: str = "/live", **headers: str
) -> T:
    async def run() -> T:
        async with aiohttp.ClientSession() as client, client.ws_connect(front.websocket_url + path, headers=headers) as socket:
            return await talk(socket)

    return asyncio.run(run())


async def nothing(_socket: aiohttp.ClientWebSocketResponse) -> None:
    pass


def test_headers_and_path_are_passed_and_the_host_is_the_engine_s(front: Front, ours: SocketServer) -> None:
    through(front, nothing, "/live/a%2Fb?c=d", **{"X-Twilio-Signature": "c2lnbmVk"})
    path, headers = ours.requests[0]

    assert path == "/live/a%2Fb?c=d"
    assert headers["X-Twilio-Signature"] == "c2lnbmVk"
    assert headers["Host"] == "abc123.execute-api.localhost"
    assert front.websocket_url == front.url.replace("http", "ws")


def test_messages_pass_both_ways_in_their_order(front: Front, ours: SocketServer) -> None:
    async def talk(socket: aiohttp.ClientWebSocketResponse) -> list[str]:
        for number in range(500):
            await socket.send_str(f'{{"event":"media","number":{number}}}')
        connection = await asyncio.to_thread(ours.connection)
        await asyncio.to_thread(connection.wait_for, "media", 500)
        for number in range(500):
            await asyncio.to_thread(connection.send, f"answer {number}")
        return [await socket.receive_str() for _ in range(500)]

    answers = through(front, talk)

    assert [message["number"] for message in ours.connection().messages] == list(range(500))
    assert answers == [f"answer {number}" for number in range(500)]


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_refusal_is_the_answer_to_the_handshake(front: Front, ours: SocketServer, status: int) -> None:
    ours.refuses_with = status
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        through(front, nothing)

    assert refused.value.status == status


def test_a_close_passes_with_its_code_from_the_caller(front: Front, ours: SocketServer) -> None:
    async def talk(socket: aiohttp.ClientWebSocketResponse) -> None:
        await socket.send_str('{"event":"last"}')
        await socket.close(code=4001)

    through(front, talk)

    assert ours.connection().wait_until_closed() == 4001
    assert len(ours.connection().of("last")) == 1


@pytest.mark.parametrize("code", [1000, 1001, 4002])
def test_a_close_passes_with_its_code_from_the_engine(front: Front, ours: SocketServer, code: int) -> None:
    async def talk(socket: aiohttp.ClientWebSocketResponse) -> tuple[str, object]:
        connection = await asyncio.to_thread(ours.connection)
        await asyncio.to_thread(connection.send, "last")
        await asyncio.to_thread(connection.close, code)
        return await socket.receive_str(), (await socket.receive()).data

    assert through(front, talk) == ("last", code)


def test_a_connection_that_breaks_is_broken_on_the_other_side(front: Front, ours: SocketServer) -> None:
    async def break_it(socket: aiohttp.ClientWebSocketResponse) -> None:
        await asyncio.to_thread(ours.connection)
        socket.get_extra_info("socket").shutdown(2)

    async def be_broken(socket: aiohttp.ClientWebSocketResponse) -> object:
        connection = await asyncio.to_thread(ours.connection, 1)
        await asyncio.to_thread(connection.cut)
        await socket.receive()
        return socket.close_code

    through(front, break_it)

    assert ours.connection().wait_until_closed() == 1006
    assert through(front, be_broken) == 1006


def test_sockets_wait_for_their_api(ours: SocketServer) -> None:
    with Front(0, f"http://127.0.0.1:{ours.server.port}") as front:
        front.pass_to("def456")
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            through(front, nothing)

    assert refused.value.status == 503
    assert ours.requests == []


def test_an_engine_that_is_gone_is_a_bad_gateway() -> None:
    with Front(0, "http://127.0.0.1:1") as front:
        front.pass_sockets_to("abc123")
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            through(front, nothing)

    assert refused.value.status == 502


def test_the_front_closes_with_sockets_open(ours: SocketServer) -> None:
    front = Front(0, f"http://127.0.0.1:{ours.server.port}")
    front.__enter__()
    front.pass_sockets_to("abc123")

    async def stay(socket: aiohttp.ClientWebSocketResponse) -> int | None:
        await asyncio.to_thread(ours.connection)
        closing = asyncio.create_task(asyncio.to_thread(front.__exit__, None, None, None))
        await socket.receive()
        await closing
        return socket.close_code

    assert through(front, stay) in {1001, 1006}
    assert ours.connection().wait_until_closed() in {1001, 1006}
