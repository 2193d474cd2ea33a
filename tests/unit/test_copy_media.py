from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.unit.fakes import ACCOUNT, FakeWorld
from tests.unit.fakes_guards import inbound_guard
from tests.unit.fakes_media import BUCKET, PNG, FakeCopies, FakeSource, FakeStore
from twilio_plugin.domain.media_copy import MediaMessage
from twilio_plugin.domain.message import inbound_message, media_key
from twilio_plugin.services.copy_media import PAUSES, Copier, copy_media
from twilio_plugin.services.ports import MediaNotReady, MediaNotTaken
from twilio_plugin.services.receive_sms import receive_sms

OURS, THEIRS = "+14155550100", "+14155550123"
URLS = ["https://api.twilio.com/0", "https://api.twilio.com/1"]


@dataclass
class Phone:
    """A text with media that has come in, and what is to copy them."""

    world: FakeWorld = field(default_factory=FakeWorld.new)
    source: FakeSource = field(default_factory=lambda: FakeSource(dict.fromkeys(URLS, PNG)))
    store: FakeStore = field(default_factory=FakeStore)
    pauses: list[float] = field(default_factory=list)
    message: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.copies = FakeCopies(self.world.conversations, self.world.outbox)
        self.receive()

    def receive(self, *content_types: str, copies_media: bool = True) -> None:
        types = content_types or ("image/png", "image/png")
        form = {"MessageSid": "MM1", "AccountSid": ACCOUNT, "From": THEIRS, "To": OURS, "NumMedia": str(len(types))}
        for index, content_type in enumerate(types):
            form |= {f"MediaUrl{index}": URLS[index], f"MediaContentType{index}": content_type}
        self.world.conversations.messages.clear()
        self.world.conversations.entries.clear()
        message, guard = inbound_message(form, copies_media=copies_media), inbound_guard(self.world.clock)
        receive_sms(message, self.world.conversations, guard, self.world.clock)
        (event,) = self.world.announced()
        self.message = json.loads(event.detail)

    def copy(self) -> str:
        by = Copier(self.source, self.store, self.copies, self.world.clock, self.pauses.append)
        return copy_media(MediaMessage.announced(self.message), by)

    def announced(self) -> list[tuple[str, dict[str, Any]]]:
        return [(one.detail_type, json.loads(one.detail)) for one in self.world.announced()]

    def kept(self) -> list[tuple[str | None, int | None, str | None]]:
        media = self.copies.media_of(MediaMessage.announced(self.message)) or ()
        return [(one.s3_key, one.size, one.refused) for one in media]


@pytest.fixture
def phone() -> Phone:
    return Phone()


def test_the_event_says_where_the_copies_will_be_before_they_are_there(phone: Phone) -> None:
    assert [one["s3_key"] for one in phone.message["media"]] == ["inbound/MM1/0", "inbound/MM1/1"]
    assert not phone.store.objects


def test_without_the_parameter_there_is_no_key_and_nothing_to_do(phone: Phone) -> None:
    phone.receive("image/png", copies_media=False)

    assert phone.message["media"] == [{"url": URLS[0], "content_type": "image/png"}]
    assert phone.copy() == "nothing to do"
    assert not phone.source.asked


def test_every_medium_is_stored_under_its_key_and_announced(phone: Phone) -> None:
    assert phone.copy() == "stored, stored"

    assert phone.store.objects == {media_key("MM1", index): (PNG, "image/png") for index in (0, 1)}
    (first_type, first), (second_type, second) = phone.announced()
    assert first_type == second_type == "MEDIA_STORED"
    assert (first["bucket"], first["s3_key"], first["size"], first["index"]) == (BUCKET, "inbound/MM1/0", len(PNG), 0)
    assert (second["s3_key"], second["message_sid"], second["from"]) == ("inbound/MM1/1", "MM1", THEIRS)
    assert phone.kept() == [("inbound/MM1/0", len(PNG), None), ("inbound/MM1/1", len(PNG), None)]


def test_the_same_event_again_copies_and_announces_nothing(phone: Phone) -> None:
    phone.copy()
    phone.announced()

    assert phone.copy() == "nothing to do"
    assert len(phone.source.asked) == 2
    assert phone.announced() == []


def test_what_twilio_does_not_have_yet_is_asked_for_again_after_growing_pauses(phone: Phone) -> None:
    phone.source.troubles = [MediaNotReady("not_found")] * 3

    assert phone.copy() == "stored, stored"
    assert phone.pauses == list(PAUSES[:3])


def test_what_stays_away_is_lambdas_to_repeat_and_the_others_are_copied(phone: Phone) -> None:
    phone.source.troubles = [MediaNotReady("not_found")] * (len(PAUSES) + 1)

    with pytest.raises(MediaNotReady):
        phone.copy()

    assert [kind for kind, _ in phone.announced()] == ["MEDIA_STORED"]
    assert phone.kept() == [("inbound/MM1/0", None, None), ("inbound/MM1/1", len(PNG), None)]
    assert phone.copy() == "stored"


@pytest.mark.parametrize("reason", ["not_found", "unavailable"])
def test_what_stays_away_for_minutes_is_given_up_and_that_is_said(phone: Phone, reason: Any) -> None:
    phone.world.clock.advance(minutes=3)
    phone.source.troubles = [MediaNotReady(reason)] * (len(PAUSES) + 1)

    assert phone.copy() == f"{reason}, stored"

    (kind, refused), _ = phone.announced()
    assert (kind, refused["reason"]) == ("MEDIA_REFUSED", reason)
    assert refused["meaning"]
    assert refused["remedy"]
    assert phone.kept()[0] == (None, None, reason)


@pytest.mark.parametrize("reason", ["not_from_twilio", "redirected_elsewhere", "too_large"])
def test_what_is_refused_is_refused_at_once_and_for_good(phone: Phone, reason: Any) -> None:
    phone.source.troubles = [MediaNotTaken(reason)]

    assert phone.copy() == f"{reason}, stored"
    assert phone.pauses == []
    assert phone.copy() == "nothing to do"
    assert [kind for kind, _ in phone.announced()] == ["MEDIA_REFUSED", "MEDIA_STORED"]


def test_a_type_that_nobody_sends_is_not_even_fetched(phone: Phone) -> None:
    phone.receive("text/html")

    assert phone.copy() == "type_not_allowed"
    assert not phone.source.asked
    assert not phone.store.objects


def test_a_page_that_calls_itself_a_picture_is_not_stored(phone: Phone) -> None:
    phone.source.held[URLS[0]] = b"<html><script>alert(1)</script>"

    assert phone.copy() == "wrong_type, stored"
    assert list(phone.store.objects) == ["inbound/MM1/1"]


def test_who_was_forgotten_before_is_copied_nothing_of(phone: Phone) -> None:
    phone.world.conversations.entries.clear()

    assert phone.copy() == "forgotten"
    assert not phone.source.asked


def test_who_is_forgotten_while_it_is_copied_leaves_nothing_in_the_bucket(phone: Phone) -> None:
    phone.receive("image/png")
    phone.store.meanwhile = phone.world.conversations.entries.clear

    assert phone.copy() == "forgotten"
    assert not phone.store.objects
    assert phone.announced() == []


def test_whoever_is_second_leaves_the_object_to_the_first(phone: Phone) -> None:
    phone.receive("image/png")

    def another() -> None:
        phone.store.meanwhile = None
        phone.copy()

    phone.store.meanwhile = another

    assert phone.copy() == "stored before"
    assert list(phone.store.objects) == ["inbound/MM1/0"]
    assert [kind for kind, _ in phone.announced()] == ["MEDIA_STORED"]
