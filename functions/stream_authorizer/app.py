"""$connect of the WebSocket API: is this handshake Twilio's?"""

from twilio_plugin.runtime import wiring

lambda_handler = wiring.stream_authorizer()
