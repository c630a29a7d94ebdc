"""Structured logs: one JSON object a line."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from control.kit import logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = list(root.handlers)
    yield io.StringIO()
    root.handlers[:] = before
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


def test_a_line_is_one_json_object_with_process_event_and_values(stream: io.StringIO) -> None:
    logs.configure(process="origin", stream=stream)
    logs.get_logger(disk="d1").info("disk_failed", error="input/output\nerror")
    (line,) = stream.getvalue().splitlines()
    said = json.loads(line)
    assert said.pop("timestamp").endswith("Z")
    assert said == {
        "process": "origin",
        "disk": "d1",
        "event": "disk_failed",
        "error": "input/output\nerror",
        "level": "info",
    }


def test_what_is_below_the_level_is_not_written(stream: io.StringIO) -> None:
    logs.configure(process="origin", level="warning", stream=stream)
    logs.get_logger().info("quiet")
    logs.get_logger().warning("loud")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["loud"]


def test_a_traceback_stays_on_its_line(stream: io.StringIO) -> None:
    logs.configure(process="origin", stream=stream)
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        logs.get_logger().exception("crashed")
    (line,) = stream.getvalue().splitlines()
    assert "RuntimeError: broken" in json.loads(line)["exception"]
