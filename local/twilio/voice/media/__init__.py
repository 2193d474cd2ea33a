"""Media Streams: a call's audio over a WebSocket of ours, and the ear and the mouth of the person on the phone."""
