"""A gathered call under test: a person on the phone, Twilio with the document it has, and an agent that says something."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.unit.fakes_calls import FakeCalling, inbound
from tests.unit.fakes_streams import FakeStreamWorld
from tests.unit.test_speaking import FakeSynthesizer
from tests.unit.test_twiml import Verb, verbs
from twilio_plugin.domain import twiml
from twilio_plugin.domain.actions import Said, Say
from twilio_plugin.domain.gather import Manner, Place, read_place
from twilio_plugin.domain.stream import Stream
from twilio_plugin.services.answer_call import answer_call
from twilio_plugin.services.answer_gathered import answer_gathered
from twilio_plugin.services.end_stream import StreamEnder
from twilio_plugin.services.gather_call import Gatherer, GatherOpener, begin
from twilio_plugin.services.say_between import Waker
from twilio_plugin.services.speak import Speaker, say
from twilio_plugin.services.stop_speaking import Interrupter

ROOT = "https://example.com/webhooks/twilio"
MANNER = Manner(webhook_url=ROOT, voice="Polly.Amy-Neural", language="en-GB", endpoint=timedelta(milliseconds=700))
SORRY = "Sorry, nobody is there."
REPLY_TIMEOUT = timedelta(seconds=30)


class GatheredCall:
    """`document` is what Twilio has now; `calling` notes what it is told by REST."""

    def __init__(self, greeting: str | None = "Hello.", *, partials: bool = False) -> None:
        self.world = world = FakeStreamWorld.new()
        self.call = inbound(1, status="in-progress")
        answer_call(self.call, {}, world.calls, world.clock)
        self.calling = FakeCalling()
        self.not_woken: list[str] = []
        self.opener = GatherOpener(world.streams, world.clock, MANNER, REPLY_TIMEOUT)
        self.by = Gatherer(
            streams=world.streams,
            utterances=world.utterances,
            gathering=world.gathering,
            outbox=world.outbox,
            clock=world.clock,
            manner=MANNER,
            reply_timeout=REPLY_TIMEOUT,
            partials=partials,
        )
        ids = (f"utterance-{number}" for number in itertools.count(1))
        self.speaker = Speaker(
            by=Interrupter(world.streams, world.utterances, world.connections, world.clock),
            synthesizer=FakeSynthesizer(),
            waker=Waker(world.gathering, lambda: self.calling, ROOT, lambda _, why: self.not_woken.append(why)),
            clock=world.clock,
            sleep=lambda _: None,
            new_id=lambda: next(ids),
        )
        self.ender = StreamEnder(world.streams, world.utterances, world.frames, world.clock)
        self.document = verbs(twiml.document(*begin(self.call, 0, 0, greeting, self.opener)))
        world.announced()

    @property
    def stream(self) -> Stream:
        found = self.world.streams.of_call(self.call.call_sid)
        assert found
        return found

    @property
    def gather(self) -> dict[str, str]:
        """The attributes of the document's <Gather>."""
        (found,) = [attributes for name, attributes, _ in self.document if name == "Gather"]
        return found

    @property
    def prompts(self) -> list[str]:
        """What the document says."""
        (nested,) = [inside for name, _, inside in self.document if name == "Gather"]
        return [str(words) for _, _, words in nested] if isinstance(nested, list) else []

    def say(self, text: str, **more: Any) -> Said:
        return say(Say(call_sid=self.call.call_sid, text=text, **more), self.speaker)

    def result(self, after: float = 0, *, url: str = "", **form: str) -> list[Verb]:
        """Twilio brings what its document heard, some seconds later; the call has the next one."""
        self.world.clock.advance(seconds=after)
        self.document = self.ask(url or self.gather["action"], form)
        return self.document

    def hears(self, words: str, after: float = 0, **more: str) -> list[Verb]:
        return self.result(after, SpeechResult=words, Confidence="0.95", **more)

    def partial(self, words: str, number: int = 0) -> None:
        self.ask(self.gather["partialResultCallback"], {"UnstableSpeechResult": words, "SequenceNumber": str(number)})

    def wake(self) -> list[Verb]:
        """Twilio does what it was told last, and fetches the next document."""
        call_sid, document, url = self.calling.told.pop()
        assert (call_sid, document) == (self.call.call_sid, None)
        self.document = self.ask(str(url), {})
        return self.document

    def ask(self, url: str, form: Mapping[str, str]) -> list[Verb]:
        parts = urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{ROOT}/voice/gather"
        place = read_place(dict(parse_qsl(parts.query)))
        return verbs(answer_gathered(self.call.call_sid, place, form, SORRY, self.by)[1])

    def place(self) -> Place:
        found = read_place(dict(parse_qsl(urlsplit(self.gather["action"]).query)))
        assert found
        return found

    def events(self) -> list[dict[str, Any]]:
        return [{"type": one.detail_type, **json.loads(one.detail)} for one in self.world.announced()]

    def told(self) -> list[tuple[str, str]]:
        """Events since the last look: their types, with the words, the key or what was heard of an interrupted utterance."""
        return [(one["type"], one.get("heard", one.get("text", one.get("digit", "")))) for one in self.events()]

    def history(self) -> list[tuple[str, str]]:
        entries = sorted(self.world.conversations.entries, key=lambda one: one.occurred_at)
        return [(one.direction, one.body) for one in entries]
