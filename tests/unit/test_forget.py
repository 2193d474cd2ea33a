from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.fakes import FakeClock, World
from tests.unit.fakes_media import PNG, FakeStore, FakeTwilioRecords
from tests.unit.test_send_message import opt_out
from twilio_plugin.adapters.dynamodb import DynamoDB, plain, typed
from twilio_plugin.adapters.number_settings import NumberSettingsTable
from twilio_plugin.adapters.personal_data import PersonalDataTables
from twilio_plugin.domain.actions import Forget, Forgotten
from twilio_plugin.domain.forgetting import MASK, Person
from twilio_plugin.domain.number_settings import Before
from twilio_plugin.errors import InvalidPageToken, InvalidPhoneNumber, InvalidRequest, StorageUnavailable
from twilio_plugin.services.forget import Forgetter, forget

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

OURS, ADA, BOB = "+14155550100", "+14155550123", "+14155550199"
AT = "2026-11-22T08:00:00.000Z"


# ------------------------------------------------------------------------------------------------------------------ the number


@pytest.mark.parametrize(
    "written",
    ["+14155550123", "14155550123", "%2B14155550123", "%2b14155550123", "0014155550123", "4155550123", "(415) 555-0123",
     "415.555.0123", "+1 415 555 0123", "whatsapp:+14155550123", "call +1-415-555-0123!"],
)  # fmt: skip
def test_a_number_is_found_in_every_usual_way_of_writing_it(written: str) -> None:
    assert Person(ADA).is_held_by({"a": [{"b": f"x {written} y"}]})
    assert "5550123" not in "".join(one for one in str(Person(ADA).masked(written)) if one.isdigit())
    assert MASK in Person(ADA).masked(written)


@pytest.mark.parametrize(
    "written",
    [
        "+141555501234",
        "+24155550123",
        "a4155550123",
        "4155550123f",
        "94155550123",
        "4155550124",
        "1795346021",
        "",
        "SM" + "0" * 32,
    ],
)
def test_what_is_another_number_or_none_is_left(written: str) -> None:
    assert not Person(ADA).is_held_by({"a": written, "b": 4155550123, "c": None, "d": b"4155550123"})


def test_json_stays_json() -> None:
    assert json.loads(Person(ADA).masked(json.dumps({"from": ADA, "body": f"I am {ADA}."}))) == {
        "from": MASK,
        "body": f"I am {MASK}.",
    }


# ------------------------------------------------------------------------------------------------------------------- the tables


@dataclass
class Kept:
    """Tables full of two people, and what forgets one."""

    client: DynamoDBClient
    tables: dict[str, str]
    media: FakeStore = field(default_factory=FakeStore)
    twilio: FakeTwilioRecords = field(default_factory=FakeTwilioRecords)
    clock: FakeClock = field(default_factory=FakeClock)
    until: datetime | None = None

    def put(self, kept_in: str, **item: Any) -> None:
        self.client.put_item(TableName=self.tables[kept_in], Item=typed(item))

    def forget(self, number: str = ADA, **more: Any) -> Forgotten:
        names: Any = {name: self.tables[name] for name in ("outbox", "calls", "conversations")}
        data = PersonalDataTables(DynamoDB(self.client), names, frames_table=self.tables["frames"])
        until = self.until or self.clock() + timedelta(hours=1)
        by = Forgetter(data, self.media, self.twilio, self.clock, lambda: until, OURS, "US")
        return forget(Forget.model_validate({"phone_number": number} | more), by)

    def everything(self) -> str:
        items = [self.client.scan(TableName=name)["Items"] for name in self.tables.values()]
        return json.dumps([[plain(item) for item in table] for table in items], default=repr)

    def keys(self, kept_in: str) -> list[str]:
        items = [plain(item) for item in self.client.scan(TableName=self.tables[kept_in])["Items"]]
        names = {"outbox": ("event_id",), "calls": ("call_sid", "sk"), "frames": ("connection_id", "sequence_number")}
        return sorted(" ".join(str(item[name]) for name in names.get(kept_in, ("conversation_id", "sk"))) for item in items)


@pytest.fixture
def kept(dynamodb: DynamoDBClient, new_table: Any) -> Kept:
    names = {"conversations": "Conversations", "calls": "Calls", "outbox": "Outbox", "frames": "MediaFrames"}
    kept = Kept(dynamodb, {name: new_table(f"{logical}Table") for name, logical in names.items()})
    for number, who in ((ADA, "A"), (BOB, "B")):
        fill(kept, number, who)
    return kept


def fill(kept: Kept, number: str, who: str) -> None:
    """All that there can be of a person, as the adapters write it."""
    for channel in ("phone", "whatsapp"):
        pair = f"{channel}|{OURS}|{number}"
        entry = {"conversation_id": pair, "occurred_at": AT, "from_": number, "to": OURS, "kind": "mms", "direction": "inbound"}
        media = [{"url": "https://api.twilio.com/0", "content_type": "image/png", "s3_key": f"inbound/MM{who}{channel}/0"}]
        sid = f"MM{who}{channel}"
        kept.put("conversations", **entry, sk=f"ENTRY#{AT}#{sid}", message_sid=sid, body="Hi", media=media)
        kept.put("conversations", conversation_id=f"message|{sid}", sk="MESSAGE", send_id="x")
        kept.media.put(f"inbound/{sid}/0", io.BytesIO(PNG), "image/png")
        kept.put("conversations", conversation_id=pair, sk="TURN", event_id="e", answer="{}")
        kept.put("conversations", conversation_id=pair, sk="GUARD#2026-11-22T08", turns=1)
    pair, call, stream = f"phone|{OURS}|{number}", f"CA{who}", f"MZ{who}"
    spoken = {"kind": "speech", "direction": "inbound", "message_sid": f"{stream}-1", "media": []}
    kept.put("conversations", conversation_id=pair, sk=f"ENTRY#{AT}#{stream}-1", body="Hello", **spoken)
    claim = {"state": "sent", "claim": "c", "fingerprint": "f", "from_": OURS, "claimed_at": AT}
    kept.put("conversations", conversation_id=f"send|key {who}", sk="PART#0001", to=f"whatsapp:{number}", **claim)
    kept.put("conversations", conversation_id=f"send|key {who}", sk="CALL", to=number, unsettled="call", **claim)
    kept.put("conversations", conversation_id=f"turn|SPEECH_RECEIVED#{stream}#1", sk="TAKEN")
    ends = {"direction": "inbound", "from_": number, "to": OURS}
    kept.put("calls", call_sid=call, sk="CALL", conversation_id=pair, active="call", started_at=AT, **ends)
    kept.put("conversations", conversation_id=f"guard|call|{call}", sk="HELD", units=60)
    kept.put("conversations", conversation_id=f"guard|texts_per_recipient_per_day|{number}", sk="USED#2026-11-22", used=1)
    kept.put("conversations", conversation_id=f"guard|inbound_allow_list|{pair}", sk="REFUSED#2026-11-22")
    kept.put("calls", call_sid=call, sk="TRANSCRIPTION#GT1", conversation_id=pair)
    kept.put("calls", call_sid=call, sk="TRANSCRIPT#GT1#000001", text="Hello")
    kept.put(
        "calls", call_sid=call, sk="STREAM#0000", conversation_id=pair, stream_sid=stream, connection_id=f"c{who}=", turns=1
    )
    kept.put("calls", call_sid=call, sk="UTTERANCE#1", text="Hello")
    kept.put("calls", call_sid=call, sk=f"RECORDING#RE{who}#completed", recording_url="https://api.twilio.com/RE")
    kept.put("calls", call_sid=f"connection|c{who}=", sk="CONNECTION", call=call, leg=0)
    for number_ in range(3):
        kept.put("frames", connection_id=f"c{who}=", sequence_number=number_, payload=b"\xff")
    detail = json.dumps({"conversation_id": pair, "from": number, "fields": {"WaId": number[1:]}})
    kept.put("outbox", event_id=f"SMS_RECEIVED#{who}", detail_type="SMS_RECEIVED", detail=detail, occurred_at=AT)


def digits(number: str) -> str:
    return number[2:]


def test_nothing_is_left_of_who_is_forgotten_and_all_of_everybody_else(kept: Kept) -> None:
    bobs = {name: [key for key in kept.keys(name) if "B" in key or BOB in key] for name in kept.tables}
    assert digits(ADA) in kept.everything()

    done = kept.forget()

    assert digits(ADA) not in kept.everything()
    assert {name: kept.keys(name) for name in kept.tables} == bobs
    assert sorted(kept.media.objects) == ["inbound/MMBphone/0", "inbound/MMBwhatsapp/0"]
    assert done.complete
    assert (done.conversations, done.calls, done.media_frames, done.outbox, done.media) == (15, 7, 3, 1, 2)
    assert done.phone_number == "***0123"
    assert ADA not in done.model_dump_json()


def test_calls_without_sound_are_forgotten_too(kept: Kept) -> None:
    """One held by documents has no connection; one whose words came by a socket has no frames."""
    pair = f"phone|{OURS}|{ADA}"
    for call, stream, connection in (("CAA2", "CAA2-0", ""), ("CAA3", "VXA", "cA3=")):
        ends = {"direction": "outbound", "request_id": f"key {call}", "from_": OURS, "to": ADA}
        kept.put("calls", call_sid=call, sk="CALL", conversation_id=pair, started_at=AT, **ends)
        kept.put("conversations", conversation_id=f"guard|request|key {call}", sk="HELD", units=60)
        opened = {"conversation_id": pair, "stream_sid": stream, "connection_id": connection, "turns": 2, "last_words": "Hi"}
        kept.put("calls", call_sid=call, sk="STREAM#000", **opened)
        for turn in (1, 2):
            kept.put("conversations", conversation_id=f"turn|SPEECH_RECEIVED#{stream}#{turn}", sk="TAKEN")
    kept.put("calls", call_sid="connection|cA3=", sk="CONNECTION", call="CAA3", leg=0)

    assert kept.forget().complete

    left = kept.everything()
    assert not [one for one in ("CAA2", "CAA3", "VXA", "cA3=", digits(ADA)) if one in left]


def test_forgetting_again_finds_nothing(kept: Kept) -> None:
    kept.forget()

    done = kept.forget()

    assert (done.conversations, done.calls, done.media_frames, done.outbox, done.media, done.masked) == (0, 0, 0, 0, 0, 0)


def test_a_dry_run_counts_the_same_and_deletes_nothing(kept: Kept) -> None:
    before, objects = kept.everything(), dict(kept.media.objects)

    would = kept.forget(dry_run=True, at_twilio=True)

    assert kept.everything() == before
    assert kept.media.objects == objects
    assert not kept.twilio.erased
    done = kept.forget(at_twilio=True)
    assert would == done


def test_what_leads_to_others_is_deleted_last_so_that_a_run_that_broke_off_can_be_repeated(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = kept.forget(dry_run=True)
    gone: list[str] = []
    monkeypatch.setattr(DynamoDB, "delete_many", one_by_one(DynamoDB.delete_many, gone))

    for _ in range(whole.conversations + whole.calls + whole.outbox + whole.media_frames):
        with pytest.raises(StorageUnavailable):
            kept.forget()
    assert kept.forget().complete

    assert digits(ADA) not in kept.everything()
    assert "MMA" not in kept.everything()
    assert "CAA" not in kept.everything()
    assert "cA=" not in kept.everything()


def one_by_one(delete_many: Any, gone: list[str]) -> Any:
    """Deletes one item that was not deleted before, and then breaks."""

    def first_only(self: DynamoDB, table: str, keys: Any) -> None:
        for key in keys:
            if str(key) not in gone:
                delete_many(self, table, [key])
                gone.append(str(key))
                raise StorageUnavailable("It broke off.")

    return first_only


def test_at_twilio_messages_calls_and_recordings_are_erased_only_if_asked_for(kept: Kept) -> None:
    assert kept.forget(dry_run=True).at_twilio == 0

    done = kept.forget(at_twilio=True)

    assert sorted(kept.twilio.erased) == ["CAA", "MMAphone", "MMAwhatsapp", "REA"]
    assert done.at_twilio == 4
    assert not any("Twilio's own records" in one for one in done.kept)


def test_where_others_mention_the_number_it_is_masked_and_the_rest_stays(kept: Kept) -> None:
    body = {"kind": "sms", "direction": "inbound", "message_sid": "SMB2", "media": []}
    pair = f"phone|{OURS}|{BOB}"
    kept.put("conversations", conversation_id=pair, sk=f"ENTRY#{AT}#SMB2", body="Ada is (415) 555-0123, ok?", **body)
    kept.put("calls", call_sid="CAB", sk="UTTERANCE#2", text=f"I will call {ADA}.", pieces=[{"words": ADA, "bytes": 1}])
    detail = json.dumps({"conversation_id": pair, "from": BOB, "body": f"Ask {ADA}"})
    kept.put("outbox", event_id="SMS_RECEIVED#B2", detail_type="SMS_RECEIVED", detail=detail, occurred_at=AT)
    kept.put("conversations", conversation_id=f"send|remind {ADA}", sk="PART#0001", to=BOB, claim="c")

    done = kept.forget()

    assert done.masked == 3
    everything = kept.everything()
    assert digits(ADA) not in everything
    assert "0123" not in everything
    assert f"Ada is {MASK}, ok?" in everything
    assert f"I will call {MASK}." in everything
    assert f"Ask {MASK}" in everything
    assert f"send|remind {ADA} PART#0001" not in kept.keys("conversations")


def test_what_does_not_fit_into_a_run_goes_on_where_it_stopped(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DynamoDB, "_call", limited(DynamoDB._call))
    kept.until = kept.clock()

    runs = [kept.forget()]
    while not runs[-1].complete:
        runs.append(kept.forget(next_token=runs[-1].next_token))

    assert len(runs) > 5
    assert digits(ADA) not in kept.everything()
    assert digits(BOB) in kept.everything()
    assert sum(one.conversations for one in runs) == 15


def limited(call: Any) -> Any:
    """Scans of two items a page."""

    def with_limit(self: DynamoDB, operation: str, **arguments: Any) -> Any:
        return call(self, operation, **arguments, **({"Limit": 2} if operation == "scan" else {}))

    return with_limit


@pytest.mark.parametrize(
    "token", ["nonsense", "W10=", "WyJvdGhlciIsIHt9XQ==", "WyJjYWxscyIsIDVd", "WyJjYWxscyIsIHsiYSI6IDF9XQ=="]
)
def test_a_token_that_is_not_ours_is_refused(kept: Kept, token: str) -> None:
    with pytest.raises(InvalidPageToken):
        kept.forget(next_token=token)


def test_our_own_number_is_not_a_persons(kept: Kept) -> None:
    before = kept.everything()

    with pytest.raises(InvalidRequest, match="one of our own numbers"):
        kept.forget(OURS)

    assert kept.everything() == before


def test_another_number_of_ours_is_not_either(kept: Kept) -> None:
    other = "+14155550177"
    kept.put("conversations", conversation_id=f"phone|{other}|{BOB}", sk="TURN", answer="{}")
    detail = json.dumps({"conversation_id": f"phone|{other}|{BOB}", "to": other})
    kept.put("outbox", event_id="SMS_RECEIVED#C", detail_type="SMS_RECEIVED", detail=detail, occurred_at=AT)
    before = kept.everything()

    with pytest.raises(InvalidRequest, match="one of our own numbers"):
        kept.forget(other)

    assert kept.everything() == before


def test_a_number_that_points_at_the_stack_is_ours_before_anybody_used_it(kept: Kept) -> None:
    other = "+14155550178"
    NumberSettingsTable(DynamoDB(kept.client), kept.tables["conversations"]).keep(
        Before(other, {"sms_url": ""}, ("https://x",))
    )

    with pytest.raises(InvalidRequest, match="one of our own numbers"):
        kept.forget(other)


def test_a_number_may_be_written_as_it_is_dialled_or_with_its_channel(kept: Kept) -> None:
    assert kept.forget("(415) 555-0123", dry_run=True).conversations == 15
    assert kept.forget(f"whatsapp:{ADA}", dry_run=True).conversations == 15
    with pytest.raises(InvalidPhoneNumber):
        kept.forget("Ada")


def test_what_remains_is_said(kept: Kept) -> None:
    said = "\n".join(kept.forget(dry_run=True).kept)

    for what in ("STOP", "Backups", "InvocationFailures", "AgentFailures", "Logs", "subscribers", "Twilio's own records"):
        assert what in said


def test_who_said_stop_is_still_refused_after_being_forgotten(real_world: World, dynamodb: DynamoDBClient, kept: Kept) -> None:
    conversations: Any = real_world.conversations
    kept.tables["conversations"] = conversations._table
    pair = f"phone|{OURS}|{ADA}"
    opt_out(real_world)
    real_world.announced()

    kept.forget()

    assert real_world.conversations.contact_state(pair) == "opted_out"
    assert digits(ADA) not in kept.everything()
    assert [key.split("|")[0] for key in kept.keys("conversations")] == ["contact"]
