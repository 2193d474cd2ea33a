from __future__ import annotations

import dataclasses
from ipaddress import ip_network
from typing import Any

import pytest

from tests.unit.deployed import guards
from twilio_plugin.domain.guards import Limits
from twilio_plugin.errors import Misconfigured
from twilio_plugin.runtime import config

KINDS: list[Any] = list(config.Config.__constraints__)


def variables(kind: Any) -> list[str]:
    return [field.name.upper() for field in dataclasses.fields(kind)]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in variables(request.param):
        monkeypatch.setenv(name, f"the {name}")
    return request.param


def test_every_field_is_read_from_its_variable(kind: Any) -> None:
    read = dataclasses.asdict(config.read(kind))

    assert read == {name.lower(): f"the {name}" for name in variables(kind)}


def test_a_missing_or_empty_variable_is_named(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in variables(kind):
        with monkeypatch.context() as patch:
            patch.delenv(name)
            with pytest.raises(Misconfigured, match=rf": {name}\."):
                config.read(kind)
        with monkeypatch.context() as patch:
            patch.setenv(name, "")
            with pytest.raises(Misconfigured, match=rf": {name}\."):
                config.read(kind)


def test_all_missing_variables_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in variables(config.Relay):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(Misconfigured, match=r"EVENT_BUS_NAME, OUTBOX_TABLE\.$"):
        config.read(config.Relay)


def test_no_value_is_in_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENT_BUS_NAME", "s3cret")
    monkeypatch.delenv("OUTBOX_TABLE", raising=False)

    with pytest.raises(Misconfigured) as refused:
        config.read(config.Relay)

    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("written", ["", "a year", "-1", "1.5", "\u0663"])
def test_what_is_no_number_is_reported_with_the_variables_name(written: str) -> None:
    with pytest.raises(Misconfigured, match="RETENTION_DAYS"):
        config.number(written, "RETENTION_DAYS")


def test_a_number_is_read() -> None:
    assert config.number("365", "RETENTION_DAYS") == 365


def test_the_limits_are_read_with_their_lists() -> None:
    limits = config.limits(
        guards(texts_per_day=3, inbound_allow_list="+14155550123, 72727", source_cidrs="203.0.113.0/24,2001:db8::/32")
    )

    assert limits == Limits(
        texts_per_day=3,
        inbound_allow_list=frozenset({"+14155550123", "72727"}),
        source_cidrs=(ip_network("203.0.113.0/24"), ip_network("2001:db8::/32")),
    )


@pytest.mark.parametrize(
    "written",
    [
        "",
        "{",
        "[]",
        "{}",
        guards(source_cidrs="203.0.113.0/99"),
        guards(source_cidrs="203.0.113.7/24"),
        guards(source_cidrs="everywhere"),
        guards(source_cidrs=7),
        guards(texts_per_day="many"),
        guards(texts_per_day=-1),
        guards(texts_per_day=None),
        guards(another_limit=1),
        guards().replace("texts_per_day", "texts_a_day"),
    ],
)
def test_limits_that_cannot_be_read_are_never_taken_for_none(written: str) -> None:
    with pytest.raises(Misconfigured, match="GUARDS"):
        config.limits(written)


def test_a_voice_mode_is_read_by_its_name() -> None:
    assert [config.voice_mode(name) for name in ("stream", "relay", "gather")] == ["stream", "relay", "gather"]


@pytest.mark.parametrize("written", ["", "Stream", "telepathy"])
def test_what_is_no_voice_mode_is_reported_with_the_variables_name(written: str) -> None:
    with pytest.raises(Misconfigured, match="VOICE_MODE"):
        config.voice_mode(written)
