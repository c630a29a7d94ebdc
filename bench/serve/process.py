"""Processes that are measured: started on their core under a guard, ended with everything they forked.

What they are for is not known here.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.serve import guard
from control.kit.errors import UserError

END_LIMIT_S = 10.0
TAIL_LINES = 12


class StartError(UserError):
    """A process that was to be measured and does not run."""


class Running:
    """One command and what it forked."""

    def __init__(self, command: Sequence[str], *, core: int, log: Path) -> None:
        self.command = tuple(command)
        self.log = log
        guarded = (sys.executable, "-I", "-S", guard.__file__, str(core), *command)
        with log.open("ab") as output:
            self._guard = subprocess.Popen(
                guarded,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def __repr__(self) -> str:
        state = "running" if self.running else f"ended with {self._guard.returncode}"
        return f"<Running {self.command[0]} {state}>"

    @property
    def running(self) -> bool:
        """Whether the command lives."""
        return self._guard.poll() is None

    def pids(self) -> list[int]:
        """The command and all its descendants, without the guard."""
        return guard.descendants(self._guard.pid)

    def stop(self) -> None:
        """Kill it with everything it forked, and wait until that is done."""
        assert self._guard.stdin is not None, "a guard is started with a pipe"
        self._guard.stdin.close()
        try:
            self._guard.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()

    def last_words(self) -> str:
        """The end of its log."""
        lines = self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n  ".join(["its last words:", *lines]) if lines else "it said nothing"
