"""MP4 boxes (ISO/IEC 14496-12, 4.2): finding them and reading their fixed fields.

Pure; bytes in, positions and numbers out. What boxes mean for a track or a segment is in `tracks.py`.
Every read is checked against the box it belongs to: bytes that lie raise BoxError, never IndexError.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_HEADER = struct.Struct(">I4s")
_FORMATS = {1: ">B", 2: ">H", 4: ">I", 8: ">Q"}


class BoxError(ValueError):
    """Bytes that are not the MP4 structure they should be."""


@dataclass(frozen=True)
class Box:
    """One box: its type and where its body is in `data`."""

    data: bytes
    kind: str
    start: int
    end: int

    def __repr__(self) -> str:
        return f"<Box {self.kind} {self.start}..{self.end}>"

    @property
    def body(self) -> bytes:
        """The body's bytes."""
        return self.data[self.start : self.end]

    def uint(self, offset: int, size: int) -> int:
        """The unsigned big-endian integer of `size` bytes at `offset` in the body."""
        at = self.start + offset
        if offset < 0 or at + size > self.end:
            raise BoxError(f"{self.kind}: {size} bytes at {offset} are outside its {self.end - self.start} bytes")
        number: int = struct.unpack_from(_FORMATS[size], self.data, at)[0]
        return number

    @property
    def version(self) -> int:
        """The version of a full box."""
        return self.uint(0, 1)

    @property
    def flags(self) -> int:
        """The 24 flags of a full box."""
        return self.uint(0, 4) & 0xFFFFFF

    def children(self, skip: int = 0) -> Iterator[Box]:
        """The boxes in the body, after `skip` bytes of fixed fields."""
        return boxes(self.data, self.start + skip, self.end)

    def child(self, kind: str, skip: int = 0) -> Box:
        """The first child called `kind`. Raises BoxError when there is none."""
        found = next((box for box in self.children(skip) if box.kind == kind), None)
        if found is None:
            raise BoxError(f"{self.kind} holds no {kind}")
        return found

    def within(self, *path: str) -> Box:
        """The descendant at `path` of plain containers."""
        box = self
        for kind in path:
            box = box.child(kind)
        return box


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes one after another in `data[start:end]`. Raises BoxError where they do not fit.

    >>> [box.kind for box in boxes(bytes.fromhex("0000000866726565" "000000096d64617400"))]
    ['free', 'mdat']
    """
    end = len(data) if end is None else end
    while start < end:
        if end - start < _HEADER.size:
            raise BoxError(f"{end - start} bytes at {start} are too few for a box")
        size, raw_kind = _HEADER.unpack_from(data, start)
        body = start + _HEADER.size
        if size == 1:
            if end - body < 8:
                raise BoxError(f"box at {start}: its 64-bit size is cut off")
            size = struct.unpack_from(">Q", data, body)[0]
            body += 8
        elif size == 0:
            size = end - start
        if size < body - start or start + size > end:
            raise BoxError(f"box {raw_kind!r} at {start}: {size} bytes do not fit into {end - start}")
        yield Box(data, raw_kind.decode("latin-1"), body, start + size)
        start += size


def whole(data: bytes) -> Box:
    """All of `data` as the body of one box, to look for its top-level boxes."""
    return Box(data, "file", 0, len(data))
