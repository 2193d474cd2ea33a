from __future__ import annotations

import io
import json
import logging

import pytest

from twilio_plugin.runtime.observability import logger

NUMBER, ENCODED = "+14155550123", "%2B14155550123"


def assert_masked(log: io.StringIO) -> None:
    written = log.getvalue()
    assert "***0123" in written
    assert "4155550123" not in written
    for line in written.splitlines():
        json.loads(line)


@pytest.mark.parametrize("written", [NUMBER, ENCODED, ENCODED.lower(), f"whatsapp:{NUMBER}", f"phone|+14155550100|{NUMBER}"])
def test_no_number_gets_into_the_log_in_a_message_a_value_or_a_name(log: io.StringIO, written: str) -> None:
    logger.info("from %s", written)
    logger.info(f"from {written}")
    logger.info({"from": written, "nested": [{"to": written}]})
    logger.info("extra", extra={"conversation_id": written, written: 1})
    logger.append_keys(conversation_id=written)
    logger.warning("appended")
    logger.remove_keys(["conversation_id"])

    assert_masked(log)


@pytest.mark.parametrize("written", [NUMBER, ENCODED])
def test_no_number_gets_into_the_log_in_an_exception(log: io.StringIO, written: str) -> None:
    def fail() -> None:
        try:
            raise KeyError(written)
        except KeyError as error:
            raise RuntimeError(f"https://api.twilio.com/Messages?To={written}") from error

    try:
        fail()
    except RuntimeError:
        logger.exception("failed", extra={"to": written})

    assert "RuntimeError" in log.getvalue()
    assert_masked(log)


def test_a_line_says_which_service_it_is_of(log: io.StringIO) -> None:
    logger.info("hello")

    line = json.loads(log.getvalue())
    assert (line["service"], line["message"], line["level"]) == ("phone", "hello", "INFO")


def test_nothing_else_writes_the_plugins_lines(log: io.StringIO, caplog: pytest.LogCaptureFixture) -> None:
    """Lambda's root handler would write a line again, unmasked."""
    logger.info("from %s", NUMBER)

    assert log.getvalue().count("\n") == 1
    assert not [one for one in logging.getLogger("phone").handlers if type(one) is logging.StreamHandler][1:]
