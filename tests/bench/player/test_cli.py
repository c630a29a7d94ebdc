"""`oca play`, as a person or a script runs it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys

import pytest
from click.testing import CliRunner

from bench.player.cli import play


async def run(*arguments: str, interrupt_after: str = "") -> tuple[int, str, str]:
    """Exit status and output; interrupted, if asked, once a line with these words was printed."""
    code = "import sys; from oca.cli import main; sys.argv[0] = 'oca'; main()"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        code,
        "play",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": "1", "COLUMNS": "140"},
    )
    assert process.stdout is not None
    seen = ""
    async with asyncio.timeout(20):
        while interrupt_after and interrupt_after not in seen:
            seen += (await process.stdout.readline()).decode()
        if interrupt_after:
            process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, seen + out.decode(), err.decode()


async def test_it_plays_for_as_long_as_asked_and_prints_json(world) -> None:
    status, out, err = await run("--control", world.control_url, "--title", "t", "--for", "300ms", "--json")
    assert (status, err) == (0, "")
    result = json.loads(out)
    assert result["outcome"] == "stopped"
    assert result["position_ms"] >= 300
    assert result["serving"] == "north-1"
    assert result["requests"]


async def test_without_a_title_it_plays_the_first_and_tells_a_person_how_it_went(world) -> None:
    status, out, _ = await run("--control", world.control_url, "--for", "300ms", "--format", "dash")
    assert status == 0
    assert "playing after" in out
    assert "time to first segment" in out
    assert "from north-1" in out


async def test_an_interrupt_stops_it_where_it_is(world) -> None:
    status, out, _ = await run("--control", world.control_url, interrupt_after="playing after")
    assert status == 130
    assert "t: stopped" in out
    assert world.positions, out


async def test_a_title_that_cannot_be_played_is_failure(world) -> None:
    world.manifest_status = 500
    status, out, _ = await run("--control", world.control_url, "--title", "t", "--json")
    assert status == 1
    assert "cannot be had: answered 500" in json.loads(out)["error"]


async def test_control_that_is_not_there_is_said_in_one_line() -> None:
    status, out, err = await run("--control", "http://127.0.0.1:9")
    assert (status, out) == (6, "")
    assert "cannot be reached" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--for", "soon"), "is not a duration"),
        (("--title", "../x"), "is no name"),
        (("--format", "smooth"), "smooth"),
    ],
)
def test_wrong_usage_is_said_before_anything_is_asked(arguments: tuple[str, ...], words: str) -> None:
    result = CliRunner().invoke(play, arguments)
    assert result.exit_code == 2
    assert words in result.output
