"""$connect of the WebSocket API: is this handshake Twilio's?"""

from twilio_plugin.runtime.wiring import streams

lambda_handler = streams.stream_authorizer()
