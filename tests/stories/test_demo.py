"""`oca demo` as a person runs it: the story holds, and nothing is left when it ends, however it ends."""

from __future__ import annotations

import asyncio
import json
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from bench.demo.fleet import oca
from bench.demo.story import Outcome, broken_promises

pytestmark = pytest.mark.media

Until = Callable[..., Awaitable[None]]
ProcessesOf = Callable[[Path], dict[int, str]]


async def demo(run_dir: Path, *options: str) -> Process:
    command = (*oca(), "demo", "--seconds", "24", "--run-dir", str(run_dir), *options)
    return await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)


async def test_the_story_holds_and_no_process_is_left(tmp_path: Path, processes_of: ProcessesOf) -> None:
    process = await demo(tmp_path / "run", "--once", "--json")
    out, err = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode == 0, err.decode()
    outcome = msgspec.json.decode(out, type=Outcome)
    assert broken_promises(outcome) == []
    assert set(json.loads(out)) >= {
        "title",
        "ttfs_ms",
        "stalls",
        "bytes_by",
        "origin_bytes_filled",
        "unique_bytes",
        "offload",
        "failover",
        "resume",
    }
    assert err == b""
    assert processes_of(tmp_path) == {}


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)])
async def test_a_demo_that_is_ended_early_leaves_no_process_behind(
    tmp_path: Path, processes_of: ProcessesOf, until: Until, number: signal.Signals, status: int
) -> None:
    process = await demo(tmp_path / "run", "--once", "--json")
    await until(lambda: any("oca.front" in line for line in processes_of(tmp_path).values()), limit_s=40)
    process.send_signal(number)
    out, _ = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, out) == (status, b"")
    await until(lambda: not processes_of(tmp_path))


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--port-base", "{taken}"], 4, "is in use by another process; stop that one, or leave --port-base out"),
        (["--run-dir", "/proc/nowhere"], 5, "/proc/nowhere: cannot be made"),
        (["--run-dir", "{full}"], 5, "is not empty; give --run-dir a new or empty directory"),
        (["--seconds", "1"], 2, "Invalid value for '--seconds'"),
    ],
)
async def test_what_cannot_work_is_said_in_a_line(tmp_path: Path, options: list[str], status: int, words: str) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    taken = server.sockets[0].getsockname()[1]
    filled = [option.format(taken=taken, full=tmp_path / "full") for option in options]
    async with server:
        process = await demo(tmp_path / "run", "--once", *filled)
        _, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == status
    assert words in err.decode()
    assert "Traceback" not in err.decode()
