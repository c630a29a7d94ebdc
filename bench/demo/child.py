"""One operating-system process with everything it starts: a process group that is ended as one.

What the process is for is not known here. A child never outlives this process (see `leash`), writes its
output to a file, and is started again only when told.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.demo import leash
from control.kit.errors import UserError

TAIL_LINES = 12
GONE_LIMIT_S = 5.0
"""Time for a killed group to leave the process table."""


class ChildError(UserError):
    """A process that could not start, ended by itself, or did not become ready."""


@dataclass
class _Run:
    """One life of the command. `asked`: we ended it, so its end is no failure."""

    process: asyncio.subprocess.Process
    asked: bool = False


class Child:
    """A command, its log and, while it runs, its process group."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name = name
        self.command = tuple(command)
        self.log = log
        self._run: _Run | None = None

    def __repr__(self) -> str:
        state = f"pid {self.pid}" if self.running else "not running"
        return f"<Child {self.name} {state}>"

    @property
    def running(self) -> bool:
        """Whether the process itself (the group's leader) lives."""
        return self._run is not None and self._run.process.returncode is None

    @property
    def pid(self) -> int:
        """Its process id, which is also its group's."""
        assert self._run is not None, f"{self.name} was never started"
        return self._run.process.pid

    def members(self) -> dict[int, str]:
        """Process id → command line of every living process of the group."""
        return dict(group(self.pid)) if self._run is not None else {}

    async def start(self) -> None:
        """Start it; its output is appended to the log."""
        assert not self.running, f"{self.name} is running already"
        leashed = (sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), *self.command)
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *leashed, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._run = _Run(process)

    async def ended(self) -> int | None:
        """Wait for its end. Its exit status when it ended by itself, None when we ended it."""
        assert self._run is not None, f"{self.name} was never started"
        run = self._run
        status = await run.process.wait()
        return None if run.asked else status

    async def stop(self, limit_s: float) -> None:
        """Ask it to drain; kill the group when that takes longer than `limit_s`."""
        if self._run is None:
            return
        self._run.asked = True
        if self.running:
            self._run.process.terminate()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._run.process.wait(), limit_s)
        await self.kill()

    async def kill(self) -> None:
        """SIGKILL the whole group and wait until none of it is left."""
        if self._run is None:
            return
        self._run.asked = True
        deadline = asyncio.get_running_loop().time() + GONE_LIMIT_S
        while members := self.members():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            if asyncio.get_running_loop().time() > deadline:
                raise ChildError(f"{self.name}: processes {sorted(members)} cannot be killed")
            await asyncio.sleep(0.01)
        await self._run.process.wait()

    def tail(self, lines: int = TAIL_LINES) -> list[str]:
        """The last lines of its log."""
        return tail(self.log, lines)


def tail(path: Path, lines: int = TAIL_LINES) -> list[str]:
    """The last `lines` lines of a log, which may not exist yet."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 64 * 1024))
            return file.read().decode("utf-8", "replace").splitlines()[-lines:]
    except FileNotFoundError:
        return []


def last_words(lines: Sequence[str]) -> str:
    """What a log says was wrong: our own one-line error when there is one, else its last lines.

    >>> last_words(['{"event": "starting"}', "oca: f.yaml:3: url: is required"])
    'f.yaml:3: url: is required'
    """
    for line in reversed(lines):
        if line.startswith("oca: "):
            return line.removeprefix("oca: ")
    return "\n  ".join(["its last words:", *lines]) if lines else "it said nothing"


def group(leader: int) -> Iterator[tuple[int, str]]:
    """Process id and command line of the living processes of a process group (proc(5), stat: state, pgrp)."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError):
            state, _, pgrp = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            if int(pgrp) == leader and state not in "ZX":
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                yield int(entry.name), words.strip()
