"""``/Calls/{sid}/Transcriptions`` of the REST API: start and stop transcriptions of live calls.

What Twilio answers where a name is taken was not found.
"""

from aiohttp import web
from multidict import MultiMapping

from .rest import ROOT, answer_json, form_of, not_found
from .switchboard import Switchboard
from .validation import is_callback_url
from .voice.creation import call_refusal
from .voice.line import Line
from .voice.transcriptions import TRACKS, NewTranscription, begin, running


class TranscriptionRoutes:
    """Handlers bound to one switchboard."""

    def __init__(self, switchboard: Switchboard) -> None:
        self._operator = switchboard.operator
        transcriptions = f"{ROOT}/{{account}}/Calls/{{call}}/Transcriptions"
        self.routes = [
            web.post(f"{transcriptions}.json", self.create),
            web.post(f"{transcriptions}/{{transcription}}.json", self.update),
        ]

    async def create(self, request: web.Request) -> web.StreamResponse:
        """Transcribe a live call from now on."""
        line, asked = self._line(request), _asked(await form_of(request))
        if line.call.status != "in-progress":
            raise call_refusal(21220)
        if asked.name and running(line, asked.name):
            raise call_refusal(20001, f"A transcription {asked.name} runs already")
        return answer_json(begin(line, self._operator, asked).resource(), status=201)

    async def update(self, request: web.Request) -> web.StreamResponse:
        """Stop one, by its SID or its name."""
        line, form = self._line(request), await form_of(request)
        transcription = running(line, request.match_info["transcription"])
        if transcription is None:
            raise not_found(request)
        if form.get("Status") != "stopped":
            raise call_refusal(20001, f"Status {form.get('Status')} is not stopped")
        transcription.stop()
        return answer_json(transcription.resource())

    def _line(self, request: web.Request) -> Line:
        line = self._operator.lines.get(request.match_info["call"])
        if line is None:
            raise not_found(request)
        return line


def _asked(form: MultiMapping[str]) -> NewTranscription:
    """From the form; raises the Refusal of what Twilio does not take."""
    track, callback = form.get("Track") or "both_tracks", form.get("StatusCallbackUrl") or None
    if track not in TRACKS:
        raise call_refusal(20001, f"Track {track} is not one of {', '.join(TRACKS)}")
    if callback and not is_callback_url(callback):
        raise call_refusal(21609, callback)
    return NewTranscription(
        name=form.get("Name", ""),
        track=track,
        callback=callback,
        callback_method=form.get("StatusCallbackMethod", "POST").upper(),
        partial_results=form.get("PartialResults", "").lower() == "true",
        language=form.get("LanguageCode") or "en-US",
        engine=form.get("TranscriptionEngine") or "google",
    )
