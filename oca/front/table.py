"""Open files by request path: a hit is one look-up here.

The file system is the index of last resort: `open` works, it is a hit. An entry keeps its file open; a
file that is unlinked meanwhile stays readable to whoever is sending it. Nothing here sends.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from control.wire import is_name

PREFIX = "/s/"


class OpenFile:
    """A descriptor that closes itself when the last entry and the last transmission let go of it."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __del__(self) -> None:
        os.close(self.fd)


class Entry:
    """One object, open: stored, or still arriving (then `available` < `size`).

    `requests` and `sent_bytes` are those not yet reported to the keeper. `common` is what its response
    heads share and `partial` how those of a 206 begin; `moment` (Date and Age) and `full` (the head of a
    whole 200) are rendered for second `rendered_at`. `served` counts requests since the file was opened,
    up to the last report. Until `warm_until` (monotonic) its bytes are believed to be in memory.
    """

    __slots__ = (
        "available",
        "common",
        "etag",
        "failed",
        "fd",
        "file",
        "full",
        "key",
        "mapped",
        "moment",
        "partial",
        "rendered_at",
        "requests",
        "sent_bytes",
        "served",
        "size",
        "stored_at",
        "used",
        "warm_until",
    )

    def __init__(self, key: str, file: OpenFile, *, size: int, available: int, stored_at: int) -> None:
        _, rendition, name = key.split("/")
        self.key = key
        self.file = file
        self.fd = file.fd
        self.size = size
        self.available = available
        self.stored_at = stored_at
        self.etag = f'"{rendition}/{name}"'.encode()
        self.common = b""
        self.partial = b""
        self.full = b""
        self.moment = b""
        self.rendered_at = -1
        self.failed = False
        self.mapped: memoryview | None = None
        self.requests = 0
        self.sent_bytes = 0
        self.served = 0
        self.warm_until = 0.0
        self.used = True

    def __repr__(self) -> str:
        return f"<Entry {self.key} {self.available} of {self.size} bytes>"

    @property
    def whole(self) -> bool:
        """Whether every byte may be sent."""
        return self.available == self.size


def key_of(path: bytes) -> str | None:
    """The key in a request path, None when the path is not one of a segment.

    >>> key_of(b"/s/bunny/v720-1f/00001.m4s"), key_of(b"/s/bunny/../x"), key_of(b"/healthz")
    ('bunny/v720-1f/00001.m4s', None, None)
    """
    try:
        text = path.decode("ascii")
    except UnicodeDecodeError:
        return None
    if not text.startswith(PREFIX):
        return None
    names = text[len(PREFIX) :].split("/")
    if len(names) != 3 or not all(is_name(name) for name in names):
        return None
    return "/".join(names)


class Table:
    """Entries by path, at most `limit` of them; what was not used lately is closed first (second chance)."""

    def __init__(self, disks: tuple[str, ...], limit: int, prepare: Callable[[Entry], None]) -> None:
        assert limit > 0, "a table that may hold nothing open cannot serve"
        self.disks = disks
        self._limit = limit
        self._prepare = prepare
        self._entries: dict[bytes, Entry] = {}
        self.get = self._entries.get

    def __repr__(self) -> str:
        return f"<Table {len(self._entries)} of {self._limit} open, disks {', '.join(self.disks) or 'none'}>"

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def look_up(self, path: bytes, key: str) -> Entry | None:
        """The entry at `path`, opened from the first disk that has it; None when no disk has."""
        entry = self._entries.get(path)
        if entry is not None:
            entry.used = True
            return entry
        for disk in self.disks:
            entry = self._opened(f"{disk}/segments/{key}", key)
            if entry is not None:
                return self._kept(path, entry)
        return None

    def grow(self, key: str, file_path: str, *, size: int, available: int) -> Entry | None:
        """The entry of an object that is arriving in the file at `file_path`; None when that cannot be opened."""
        path = (PREFIX + key).encode()
        entry = self._entries.get(path) or self._opened(file_path, key)
        if entry is None:
            return None
        entry.size, entry.available = size, available
        self._prepare(entry)
        return self._kept(path, entry)

    def forget(self, prefix: str) -> list[Entry]:
        """Drop the entry with this key; all below `prefix` when it ends in `/`; everything when it is empty."""
        if not prefix or prefix.endswith("/"):
            start = (PREFIX + prefix).encode()
            paths = [path for path in self._entries if path.startswith(start)]
        else:
            paths = [path for path in ((PREFIX + prefix).encode(),) if path in self._entries]
        return [self._entries.pop(path) for path in paths]

    def _opened(self, file_path: str, key: str) -> Entry | None:
        try:
            fd = os.open(file_path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        file = OpenFile(fd)
        status = os.fstat(fd)
        size = status.st_size
        entry = Entry(key, file, size=size, available=size, stored_at=int(status.st_mtime))
        self._prepare(entry)
        return entry

    def _kept(self, path: bytes, entry: Entry) -> Entry:
        while len(self._entries) >= self._limit:
            oldest, candidate = next(iter(self._entries.items()))
            del self._entries[oldest]
            if candidate.used:
                candidate.used = False
                self._entries[oldest] = candidate
        self._entries[path] = entry
        return entry
