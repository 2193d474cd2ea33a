"""The HTTP/2 connection to Amazon Transcribe: the SDK's own transport, made to notice when a stream breaks.

The SDK is a developer preview. As it is (0.12, with awscrt 0.32), it waits for ever for the answer to a stream whose connection
broke, and takes a stream that breaks later for one that ended. What is replaced and read here is in part not public;
`tests/unit/test_transcribe.py` shows whether it still works.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from functools import partial
from typing import TYPE_CHECKING

from smithy_http.aio.crt import AWSCRTHTTPClient, AWSCRTHTTPClientConfig, AWSCRTHTTPResponse

if TYPE_CHECKING:
    from awscrt.aio.http import AIOHttpClientStreamUnified


class Transport(AWSCRTHTTPClient):  # type: ignore[misc]
    """Connections that are HTTP/2 or none: with HTTP/1.1 no word would come before the audio has ended."""

    def __init__(self) -> None:
        super().__init__(client_config=AWSCRTHTTPClientConfig(force_http_2=True))

    async def _await_response(self, stream: AIOHttpClientStreamUnified) -> _Response:
        answer = asyncio.ensure_future(super()._await_response(stream))
        end = asyncio.ensure_future(stream.wait_for_completion())
        end.add_done_callback(partial(_stop_writing, stream._writer))
        await asyncio.wait((answer, end), return_when=asyncio.FIRST_COMPLETED)
        if not answer.done() and (error := end.exception()):
            answer.cancel()
            raise error
        response = await answer
        return _Response(status=response.status, fields=response.fields, stream=stream)


def _stop_writing(writer: asyncio.Task[None], end: asyncio.Task[int]) -> None:
    """What writes into a stream that broke would wait for ever. What it and the end raise is known to whoever reads."""
    writer.add_done_callback(lambda task: task.cancelled() or task.exception())
    writer.cancel()
    end.exception()


class _Response(AWSCRTHTTPResponse):  # type: ignore[misc]
    async def chunks(self) -> AsyncGenerator[bytes, None]:
        async for chunk in super().chunks():
            yield chunk
        completion = self._stream.completion_future
        if completion.done():
            completion.result()
