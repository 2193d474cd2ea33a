from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml

from tests.bench import scaling
from tests.bench.report import Table
from tests.bench.scaling import CALLS, GROWN, NEW, RAISED, TEXTS, Limit, as_markdown

ROOT = Path(__file__).parents[2]


def limit(limits: tuple[Limit, ...], name: str) -> Limit:
    (found,) = [one for one in limits if one.name == name]
    return found


@pytest.mark.parametrize("table", scaling.measure(None), ids=lambda table: table.title)
def test_the_doc_has_the_tables_as_they_come_out(table: Table) -> None:
    assert as_markdown(table) in (ROOT / "docs" / "scaling.md").read_text()


def test_the_stages_are_throttled_as_the_calculation_says() -> None:
    template = (ROOT / "template.yaml").read_text()

    def throttles(stage: str) -> dict[str, int]:
        part = template.partition(f"\n  {stage}:\n")[2]
        (line,) = [one for one in part.splitlines() if "DefaultRouteSettings" in one][:1]
        throttled: dict[str, int] = yaml.safe_load(line.partition(":")[2])
        return throttled

    assert throttles("HttpStage") == {"ThrottlingBurstLimit": NEW.stage_burst, "ThrottlingRateLimit": NEW.stage_rate}
    assert throttles("WebSocketStage")["ThrottlingRateLimit"] == NEW.socket_rate
    assert limit(TEXTS, "the stage of the webhooks").quota == NEW.stage_rate
    assert limit(CALLS, "the stage of the sockets").binds_at == 140


def test_a_limit_binds_where_its_quota_is_used_up() -> None:
    assert Limit("x", 100, "y", 4, "").binds_at == 25
    assert [row.values["calls_at_once"] for row in scaling.limits("calls").rows] == sorted(int(one.binds_at) for one in CALLS)


def test_raised_quotas_answer_everybody_and_a_new_account_almost_nobody() -> None:
    assert scaling.texts(RAISED)["answered_for_percent"] == 100
    assert scaling.texts(NEW)["answered_for_percent"] < 5
    assert scaling.calls(RAISED)["listened_to_percent"] == 100
    assert scaling.calls(NEW)["listened_to_percent"] < 1


def test_a_load_below_every_limit_loses_nothing() -> None:
    quiet = scaling.texts(GROWN, rate=90)

    assert (quiet["answered_for_percent"], quiet["refused_percent"]) == (100, 0)
    assert quiet["last_reply_after_s"] < 1
    small = scaling.calls(GROWN, at_once=20)
    assert (small["listened_to_percent"], small["audio_stored_percent"]) == (100, 100)
    assert small["turns_without_a_transcriber_percent"] == 0


def test_fewer_senders_make_the_last_reply_later() -> None:
    slow = dataclasses.replace(RAISED, senders=10)

    assert scaling.texts(slow)["last_reply_after_s"] > 50 * scaling.texts(RAISED)["last_reply_after_s"]


def test_the_same_seed_is_the_same_wave() -> None:
    assert scaling.texts(GROWN, seed=7) == scaling.texts(GROWN, seed=7)
    assert scaling.texts(GROWN, seed=7) != scaling.texts(GROWN, seed=8)
