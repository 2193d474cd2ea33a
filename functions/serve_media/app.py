"""`GET|HEAD /webhooks/twilio/media/{token}`: what a text of ours has with it."""

from twilio_plugin.runtime.wiring import media

lambda_handler = media.serve_media()
