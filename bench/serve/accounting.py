"""What a set of processes has used, from the kernel's own books in /proc.

CPU time is from schedstat: nanoseconds on a core, so it holds when the machine is busy. Memory is the
proportional set size. Reading is thin; what the texts mean is decided by pure functions.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Memory:
    """Proportional set size in bytes; `anonymous` is the part that no file backs."""

    total: int = 0
    anonymous: int = 0

    def __add__(self, other: Memory) -> Memory:
        return Memory(self.total + other.total, self.anonymous + other.anonymous)


def on_cpu_ns(schedstat: str) -> int:
    r"""Nanoseconds on a core, from a text of /proc/<pid>/task/<tid>/schedstat. Raises ValueError.

    >>> on_cpu_ns("92618 17 3\n")
    92618
    """
    fields = schedstat.split()
    if len(fields) != 3:
        raise ValueError(f"{schedstat!r} is not three numbers")
    return int(fields[0])


def memory_of(rollup: str) -> Memory:
    r"""From a text of /proc/<pid>/smaps_rollup. Absent lines count as nothing.

    >>> memory_of("Pss:  12 kB\nPss_Anon:  5 kB\nPss_Shmem:  1 kB\n")
    Memory(total=12288, anonymous=6144)
    """
    sizes: dict[str, int] = {}
    for line in rollup.splitlines():
        name, _, value = line.partition(":")
        if value.endswith("kB"):
            sizes[name] = int(value[:-2]) * 1024
    return Memory(sizes.get("Pss", 0), sizes.get("Pss_Anon", 0) + sizes.get("Pss_Shmem", 0))


def used_ns(before: dict[int, int], after: dict[int, int]) -> int:
    """CPU time between two readings. A thread that began in between counts whole, one that ended not at all.

    >>> used_ns({1: 100, 2: 50}, {1: 130, 3: 7})
    37
    """
    return sum(ns - before.get(thread, 0) for thread, ns in after.items())


def cpu_ns(pids: Iterable[int]) -> dict[int, int]:
    """Thread → nanoseconds on a core, of every thread of `pids`."""
    found: dict[int, int] = {}
    for pid in pids:
        for task in _tasks(pid):
            with contextlib.suppress(OSError, ValueError):
                found[int(task.name)] = on_cpu_ns((task / "schedstat").read_text())
    return found


def memory(pids: Iterable[int]) -> Memory:
    """The sum over `pids`."""
    total = Memory()
    for pid in pids:
        with contextlib.suppress(OSError):
            total += memory_of((PROC / str(pid) / "smaps_rollup").read_text())
    return total


def _tasks(pid: int) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        yield from (PROC / str(pid) / "task").iterdir()
