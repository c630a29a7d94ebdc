"""A front worker as a process: `python -m oca.front CONFIG INDEX LISTENING_FD`. Started by the supervisor.

The listening socket is inherited, so that a worker that dies loses no connection that still queues.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
from pathlib import Path

from control.kit import logs
from control.kit.clock import SystemClock
from control.kit.orphan import die_with_parent
from oca.config import ApplianceSettings, load
from oca.front.access_log import AccessLog
from oca.front.worker import Limits, Worker


def main(arguments: list[str]) -> None:
    """Run one worker until SIGTERM has drained it."""
    config, index, descriptor = arguments
    die_with_parent()
    settings = load(Path(config))
    logs.configure(process=f"{settings.appliance}/front-{index}", level=settings.log_level)
    clock = SystemClock()
    worker = Worker(
        appliance=settings.appliance,
        index=int(index),
        listener=socket.socket(fileno=int(descriptor)),
        disks=tuple(str(disk.path) for disk in settings.disks),
        keeper_socket=str(settings.keeper_socket),
        limits=limits_of(settings),
        clock=clock,
        access_log=access_log_of(settings, int(index), clock),
    )
    signal.signal(signal.SIGTERM, lambda *_: worker.drain())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the supervisor's to pass on
    worker.run()


def limits_of(settings: ApplianceSettings) -> Limits:
    """The worker's bounds out of the appliance's settings."""
    front = settings.front
    return Limits(
        connections=front.max_connections,
        header_bytes=int(front.header_limit),
        header_timeout_s=float(front.header_timeout),
        idle_timeout_s=float(front.idle_timeout),
        min_send_bytes_per_s=int(front.min_send_rate) // 8,
        send_quantum_bytes=int(front.send_quantum),
        open_files=front.max_open_files,
    )


def access_log_of(settings: ApplianceSettings, index: int, clock: SystemClock) -> AccessLog | None:
    """The worker's access log, None when none is configured. Its directory may come later: lines are counted."""
    log = settings.access_log
    if log is None:
        return None
    with contextlib.suppress(OSError):
        log.directory.mkdir(parents=True, exist_ok=True)
    path = log.directory / f"access-{index}.jsonl"
    return AccessLog(path, now=clock.now, rotate_bytes=int(log.rotate), keep=log.keep, sample=log.sample)


if __name__ == "__main__":
    main(sys.argv[1:])
