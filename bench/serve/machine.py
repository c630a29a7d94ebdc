"""The machine the bench runs on: a network of its own, cores, descriptors, and how busy others keep it."""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import resource
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

from control.kit.errors import UserError

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS = 0x8913
SIOCSIFFLAGS = 0x8914
IFF_UP = 1
CONGESTION = Path("/proc/sys/net/ipv4/tcp_congestion_control")
LOCAL_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
BUSY_STEAL = 0.02
"""Share of time that the hypervisor took from which a run is called disturbed."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core serves and which loads it; the same one where there is no second."""

    server: int
    client: int


@dataclass(frozen=True, slots=True)
class Ticks:
    """Clock ticks of all cores since boot, from /proc/stat."""

    total: int
    idle: int
    steal: int


def own_network() -> str | None:
    """Move this thread, and all that it starts from now on, into a network namespace with only a loopback and cubic.

    None when done, else why not: then the system's own network and congestion control are used.
    """
    if os.geteuid() != 0:
        return f"not root: the system's network and its {congestion()} are used"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        reason = os.strerror(ctypes.get_errno())
        return f"no network of its own ({reason}): the system's and its {congestion()} are used"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sh14x", b"lo", 0)
        _, flags = struct.unpack("16sh14x", fcntl.ioctl(sock, SIOCGIFFLAGS, request))
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))
    LOCAL_PORTS.write_text("1024 65535")
    CONGESTION.write_text("cubic")
    return None


def congestion() -> str:
    """The congestion control that sockets of this network begin with."""
    return CONGESTION.read_text().strip()


def choose_cores(usable: set[int]) -> Cores:
    """The first for the server, the second for the client.

    >>> choose_cores({3, 1, 2}), choose_cores({0})
    (Cores(server=1, client=2), Cores(server=0, client=0))
    """
    first, *rest = sorted(usable)
    return Cores(first, rest[0] if rest else first)


def allow_descriptors(needed: int, wanted: int) -> int:
    """Let this process and its children have `wanted` descriptors, or as many as may be; how many that are.

    Raises UserError when that is fewer than `needed`.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), max(hard, wanted)))
    except (ValueError, OSError):  # only a privileged process raises its hard limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed < needed:
        raise UserError(
            f"{needed} descriptors are needed, {allowed} are allowed: raise `ulimit -Hn` or ask for fewer connections"
        )
    return allowed


def ticks_of(stat: str) -> Ticks:
    r"""From a text of /proc/stat (proc(5): user nice system idle iowait irq softirq steal …).

    >>> ticks_of("cpu  10 0 5 80 3 0 1 1 0 0\ncpu0 …")
    Ticks(total=100, idle=83, steal=1)
    """
    numbers = [int(word) for word in stat.splitlines()[0].split()[1:9]]
    return Ticks(sum(numbers), numbers[3] + numbers[4], numbers[7])


def ticks() -> Ticks:
    """As of now."""
    return ticks_of(Path("/proc/stat").read_text())


def steal_share(before: Ticks, after: Ticks) -> float:
    """Share of all cores' time that the hypervisor took between two readings."""
    return (after.steal - before.steal) / max(after.total - before.total, 1)


def disturbed(*, load_before: float, cores: int, steal: float) -> bool:
    """Whether others kept the machine so busy that times, though not CPU per request, say little.

    `load_before` is the load average from before the bench began.
    """
    return load_before > cores / 4 or steal > BUSY_STEAL


def processor() -> str:
    """The processor's name."""
    return next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
