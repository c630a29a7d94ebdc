"""A child that must not outlive its parent."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PARENT_VARIABLE = "OCA_PARENT_PID"
_PR_SET_PDEATHSIG = 1


def parent_environment() -> dict[str, str]:
    """The environment of this process, for children that call `die_with_parent`."""
    return {**os.environ, PARENT_VARIABLE: str(os.getpid())}


def die_with_parent(number: signal.Signals = signal.SIGTERM) -> None:
    """Ask the kernel to send this process `number` when its parent dies (prctl(2), PR_SET_PDEATHSIG).

    A parent that died before the call is noticed by its process id in the environment, where
    `parent_environment` put it: then this process exits at once. (A parent with id 1 is no sign of that: in
    a container our supervisor is process 1.) Linux only; elsewhere nothing happens. To be called early in
    the child, from its main thread.
    """
    if not sys.platform.startswith("linux"):
        return
    parent = int(os.environ.get(PARENT_VARIABLE, os.getppid()))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        sys.exit(0)
