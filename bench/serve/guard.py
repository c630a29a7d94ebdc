"""Runs a command on one core and ends everything that came of it. A script: `guard.py CORE COMMAND…`.

Its standard input is held open by who started it. When that closes, however the holder ended, every
process that descends from here is killed: those that a server forked, and those whose parent died
(they are given to the guard, prctl(2), PR_SET_CHILD_SUBREAPER). Ends with the command's own exit status.
No imports but the standard library's: it is run without site-packages.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
KILL_LIMIT_S = 5.0


def main() -> int:
    """Run the command until it ends by itself or is no longer wanted."""
    core, command = int(sys.argv[1]), sys.argv[2:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C reaches the holder, who lets go
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    os.sched_setaffinity(0, {core})
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    with contextlib.ExitStack() as stack:
        ended = os.pidfd_open(process.pid)
        stack.callback(os.close, ended)
        poll = select.poll()
        poll.register(ended, select.POLLIN)
        poll.register(sys.stdin, select.POLLIN)
        poll.poll()
    kill_descendants()
    return abs(process.wait())


def kill_descendants() -> None:
    """SIGKILL until none is left."""
    deadline = time.monotonic() + KILL_LIMIT_S
    while (found := descendants(os.getpid())) and time.monotonic() < deadline:
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
        time.sleep(0.005)


def descendants(root: int) -> list[int]:
    """Living processes below `root` (proc(5): stat's fields after the name are state and parent)."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                state, parent = file.read().rpartition(b")")[2].split()[:2]
                if state not in (b"Z", b"X"):
                    parents[int(name)] = int(parent)
    found: list[int] = []
    level = {root}
    while level := {pid for pid, parent in parents.items() if parent in level}:
        found += level
    return found


if __name__ == "__main__":
    sys.exit(main())
