"""The objects that are asked for: made on disk as an appliance keeps them, evicted from memory when told.

The layout is that of an appliance's disk, `segments/<title>/<rendition>/<object>`, so every server serves
the very same files. Objects of a cold set have names without a number, thus no successor: what a server
reads ahead would be evicted again before it is asked for, and only count against it.
"""

from __future__ import annotations

import ctypes
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import xxhash

from bench.serve.cells import MIB
from control.kit.errors import StorageError
from control.wire import RenditionIndex, StoredObject, encode

TITLE = "bench"
ROOM_BYTES = 1 << 30
"""What stays free on the disk beside the collection."""
_NR_CACHESTAT = 451


@dataclass(frozen=True, slots=True)
class Set:
    """`count` objects of `bytes` each, as one rendition."""

    rendition: str
    bytes: int
    count: int
    cold: bool = False

    def names(self) -> list[str]:
        """The names of its objects."""
        if self.cold:
            return [f"c{number:05d}-{self.count}.m4s" for number in range(self.count)]
        return [f"{number:05d}.m4s" for number in range(1, self.count + 1)]

    def paths(self) -> tuple[str, ...]:
        """The request paths of its objects."""
        return tuple(f"/s/{TITLE}/{self.rendition}/{name}" for name in self.names())


def hot_set(size: int, count: int) -> Set:
    """Objects that stay in memory."""
    return Set(f"hot-{size // 1024}k", size, count)


def cold_set(size: int, count: int) -> Set:
    """Objects that are evicted before they are asked for."""
    return Set(f"cold-{size // 1024}k", size, count, cold=True)


class Collection:
    """Sets made below `disk`."""

    def __init__(self, disk: Path) -> None:
        self.disk = disk
        self._made: set[Set] = set()

    @property
    def segments(self) -> Path:
        """What `/s/` of a server is."""
        return self.disk / "segments"

    def make(self, wanted: set[Set]) -> None:
        """Write what is not there yet, and make it durable. Raises StorageError."""
        missing = sorted(wanted - self._made, key=lambda each: each.rendition)
        needed = sum(each.bytes * each.count for each in missing)
        self.disk.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.disk).free
        if free < needed + ROOM_BYTES:
            raise StorageError(
                f"{self.disk}: {needed // MIB} MiB of objects and some room are needed, {free // MIB} MiB are free; "
                "set TMPDIR to another disk or ask for fewer cells"
            )
        for each in missing:
            self._write(each)
            self._made.add(each)

    def file(self, path: str) -> Path:
        """The file behind a request path."""
        return self.segments / path.removeprefix("/s/")

    def _write(self, each: Set) -> None:
        directory = self.segments / TITLE / each.rendition
        directory.mkdir(parents=True)
        block = os.urandom(each.bytes)
        objects = []
        for name in each.names():
            # Same length, other bytes: nothing may be shared, and a mix-up would show.
            data = name.encode() + block[len(name) :]
            _durable(directory / name, data)
            objects.append(
                StoredObject(name=name, kind="media", bytes=each.bytes, xxh3=xxhash.xxh3_128_hexdigest(data))
            )
        index = RenditionIndex(title=TITLE, rendition=each.rendition, timescale=1, objects=tuple(objects))
        _durable(directory / "index.json", encode(index))


def _durable(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fdatasync(file.fileno())


class Eviction:
    """Drops files from the page cache, and checks every so often that they are gone."""

    CHECK_EVERY = 8

    def __init__(self) -> None:
        self._syscall = ctypes.CDLL(None).syscall
        self._range = (ctypes.c_uint64 * 2)(0, 0)
        self._answer = (ctypes.c_uint64 * 5)()
        self._count = 0
        self._checked = 0
        self._still_warm = 0.0

    def evict(self, path: Path) -> None:
        """Let go of the pages of `path`. Those that somebody has mapped, or is sending, stay."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            self._count += 1
            if self._count % self.CHECK_EVERY == 0:
                self._check(descriptor)
        finally:
            os.close(descriptor)

    def still_warm(self) -> float | None:
        """Share of the checked files' pages that were in memory after eviction; None when none was checked."""
        return self._still_warm / self._checked if self._checked else None

    def _check(self, descriptor: int) -> None:
        """`cachestat(2)`, Linux 6.5; an older kernel leaves this unchecked."""
        pages = -(-os.fstat(descriptor).st_size // os.sysconf("SC_PAGE_SIZE"))
        if self._syscall(_NR_CACHESTAT, descriptor, self._range, self._answer, 0) == 0:
            self._checked += 1
            self._still_warm += self._answer[0] / max(pages, 1)
