"""A child dies with its parent, however the parent ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from control.kit.orphan import PARENT_VARIABLE, parent_environment

CHILD = """
import signal
from control.kit.orphan import die_with_parent
die_with_parent()
print("on a leash", flush=True)
signal.pause()
"""
PARENT = f"""
import signal, subprocess, sys
from control.kit.orphan import parent_environment
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}], env=parent_environment())
print(child.pid, flush=True)
signal.pause()
"""
LIMIT_S = 15.0


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


async def test_a_child_ends_when_its_parent_is_killed() -> None:
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await asyncio.wait_for(parent.stdout.readline(), LIMIT_S))
    assert await asyncio.wait_for(parent.stdout.readline(), LIMIT_S) == b"on a leash\n"
    assert lives(pid)
    parent.kill()
    await parent.communicate()
    deadline = asyncio.get_running_loop().time() + LIMIT_S
    while lives(pid):
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)


async def test_a_child_whose_parent_died_before_the_leash_was_on_ends_at_once() -> None:
    environment = parent_environment() | {PARENT_VARIABLE: str(os.getpid() + 1)}
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", CHILD, env=environment)
    try:
        assert await asyncio.wait_for(child.wait(), LIMIT_S) == 0
    finally:
        if child.returncode is None:
            child.send_signal(signal.SIGKILL)
            await child.wait()
