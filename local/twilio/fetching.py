"""Twilio fetches the media of a message before it sends it: HEAD, then GET, and looks whether they are what they say.

https://www.twilio.com/docs/messaging/guides/accepted-mime-types. Only what is on this machine is really fetched; of any other
URL the stand-in takes it that all is well, because it must work without a network.
"""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp

from .media import Media

LARGEST = {"whatsapp": 16 * 1024 * 1024}
LARGEST_MMS = 5 * 1024 * 1024
RETRIEVAL, TOO_LARGE, WRONG_TYPE, NOT_FOR_THE_CHANNEL = 11200, 11751, 12300, 63019
_LOOPBACK = {"127.0.0.1", "localhost"}
_BEGINNINGS = {"image/png": b"\x89PNG", "image/jpeg": b"\xff\xd8\xff", "image/gif": b"GIF8", "application/pdf": b"%PDF-"}
_KINDS = {"image", "audio", "video", "text", "application"}


@dataclass
class FetchFailed(Exception):
    """``code`` is what the message fails with."""

    code: int
    url: str
    detail: str


@dataclass
class MediaFetcher:
    """Use on the loop's thread only. ``requests`` is what was asked for, as ``HEAD http://…``."""

    requests: list[str] = field(default_factory=list)
    _session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the client."""
        if self._session:
            await self._session.close()

    async def fetch(self, urls: list[str], to: str) -> list[Media]:
        """What is to be sent with a message. Raises FetchFailed."""
        channel = to.rpartition(":")[0]
        fetched = [await self._fetch(url, channel) for url in urls if urlsplit(url).hostname in _LOOPBACK]
        if sum(len(media.content) for media in fetched) > LARGEST.get(channel, LARGEST_MMS):
            raise FetchFailed(TOO_LARGE, urls[0], "Media exceeds messaging provider size limit")
        return fetched

    async def _fetch(self, url: str, channel: str) -> Media:
        looked_at, _ = await self._ask("HEAD", url, channel)
        content_type, content = await self._ask("GET", url, channel)
        kind = content_type.partition("/")[0]
        begins = content.startswith(_BEGINNINGS.get(content_type, b""))
        if looked_at != content_type or kind not in _KINDS or not content or not begins:
            raise FetchFailed(WRONG_TYPE, url, f"HEAD says {looked_at}, GET says {content_type}, {len(content)} bytes")
        return Media(content_type, content)

    async def _ask(self, method: str, url: str, channel: str) -> tuple[str, bytes]:
        self.requests.append(f"{method} {url}")
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15))
        try:
            async with self._session.request(method, url, headers={"User-Agent": "TwilioProxy/1.1"}) as answer:
                content = await answer.read()
                if answer.status != 200:
                    raise FetchFailed(_failure(channel), url, f"{method}: {answer.status}")
                return answer.headers.get("Content-Type", ""), content
        except (aiohttp.ClientError, TimeoutError) as error:
            raise FetchFailed(_failure(channel), url, f"{method}: {type(error).__name__}") from error


def _failure(channel: str) -> int:
    return NOT_FOR_THE_CHANNEL if channel else RETRIEVAL
