"""Starts a command that dies with its parent. Run as a script: `leash.py PARENT_PID COMMAND …`.

The kernel kills the command when its parent ends, however that ends (prctl(2), PR_SET_PDEATHSIG). A
program of its own, because code between fork and exec of a process that has threads can deadlock. No
imports but the standard library's: it is run without site-packages.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Put the leash on and become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:
        sys.exit("the parent ended first")
    os.execv(command[0], command)  # noqa: S606 - the very purpose; the command is ours


if __name__ == "__main__":
    main()
