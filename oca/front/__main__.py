"""A front worker as a process: `python -m oca.front CONFIG INDEX READY_FD LISTENING_FD [TLS_LISTENING_FD]`.

Started by the supervisor. The listening sockets are inherited, so that a worker that dies loses no
connection that still queues. A byte on READY_FD says that it serves.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from pathlib import Path

from control.kit import logs
from control.kit.clock import SystemClock
from control.kit.orphan import die_with_parent
from oca.config import ApplianceSettings, load
from oca.front.access import keyring
from oca.front.access.verify import Gate
from oca.front.access_log import AccessLog
from oca.front.certificates import CertificateFiles, Certificates
from oca.front.manners import Manners
from oca.front.worker import Limits, Worker


def main(arguments: list[str]) -> None:
    """Run one worker until SIGTERM has drained it."""
    config, index, ready, *descriptors = arguments
    die_with_parent()
    settings = load(Path(config))
    logs.configure(process=f"{settings.appliance}/front-{index}", level=settings.log_level)
    clock = SystemClock()
    if settings.front.pin:
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(index) % len(cores)]})
    sockets = [socket.socket(fileno=int(descriptor)) for descriptor in descriptors]
    worker = Worker(
        appliance=settings.appliance,
        index=int(index),
        listener=sockets[0],
        tls_listener=sockets[1] if settings.tls else None,
        certificates=certificates_of(settings, clock),
        redirect_port=settings.tls.listen.port if settings.tls and settings.tls.redirect else None,
        disks=tuple(str(disk.path) for disk in settings.disks),
        keeper_socket=str(settings.keeper_socket),
        limits=limits_of(settings),
        clock=clock,
        access_log=access_log_of(settings, int(index), clock),
        manners=manners_of(settings, clock),
    )
    signal.signal(signal.SIGTERM, lambda *_: worker.drain())
    signal.signal(signal.SIGUSR1, lambda *_: worker.retire())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the supervisor's to pass on
    os.write(int(ready), b"1")
    os.close(int(ready))
    worker.run()


def manners_of(settings: ApplianceSettings, clock: SystemClock) -> Manners:
    """What clients are held to. Raises ConfigError for keys that cannot be used."""
    gate = Gate(settings.access, keyring.load(settings.access)) if settings.access.mode != "off" else None
    return Manners(gate, settings.pacing, appliance=settings.appliance, now=clock.now)


def certificates_of(settings: ApplianceSettings, clock: SystemClock) -> Certificates | None:
    """The certificates, with the ticket secret that the supervisor left for all workers."""
    if settings.tls is None:
        return None
    files = tuple(CertificateFiles(each.chain, each.key) for each in settings.tls.certificates)
    secret = settings.ticket_secret.read_bytes() if settings.ticket_secret.exists() else b""
    lifetime_s = float(settings.tls.ticket_lifetime)
    return Certificates(files, ticket_secret=secret, lifetime_s=lifetime_s, now=clock.now())


def limits_of(settings: ApplianceSettings) -> Limits:
    """The worker's bounds out of the appliance's settings."""
    front = settings.front
    return Limits(
        connections=front.max_connections,
        connections_per_prefix=front.max_connections_per_prefix,
        requests_per_connection=front.max_requests,
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
