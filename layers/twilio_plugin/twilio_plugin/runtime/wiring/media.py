"""Functions for media, both ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twilio_plugin.runtime import config
from twilio_plugin.runtime.wiring import parts

if TYPE_CHECKING:
    from twilio_plugin.services.serve_media import Served

Handler = Callable[[Any, Any], Any]


def copy_media() -> Handler:
    import time

    from twilio_plugin.adapters.media_bucket import MediaBucket
    from twilio_plugin.adapters.media_copies import MediaCopiesTable
    from twilio_plugin.adapters.twilio_media import TwilioMedia
    from twilio_plugin.domain.media_copy import MediaHosts, MediaMessage
    from twilio_plugin.runtime.bus import subscriber
    from twilio_plugin.services.copy_media import Copier
    from twilio_plugin.services.copy_media import copy_media as service

    env = config.read(config.CopyMedia)
    by = Copier(
        source=TwilioMedia(
            MediaHosts(env.twilio_account_sid, env.twilio_api_base_url),
            parts.rest_secret(env.twilio_rest_secret),
            at_most=config.number(env.max_media_bytes, "MAX_MEDIA_BYTES"),
        ),
        store=MediaBucket(parts.s3, env.media_bucket),
        copies=MediaCopiesTable(parts.dynamodb(), env.conversations_table, parts.outbox(env)),
        clock=parts.now,
        pause=time.sleep,
    )
    return subscriber(lambda detail: service(MediaMessage.announced(detail), by))


def serve_media() -> Handler:
    from twilio_plugin.runtime.download import download
    from twilio_plugin.services.serve_media import serve_media as service

    env = config.read(config.ServeMedia)
    media, key = parts.outbound_media(env), parts.ledger_key(env.ledger_secret)

    def use_case(token: str, *, with_body: bool) -> Served | None:
        return service(token, with_body=with_body, media=media, key=key, clock=parts.now)

    return download(use_case)
