"""Texts with media from the bus: copy the media into the bucket."""

from twilio_plugin.runtime.wiring import media

lambda_handler = media.copy_media()
