"""What the books know of one rendition. Pure, in memory, made small: there may be a quarter of a million."""

from __future__ import annotations

from collections.abc import Iterator

from control.wire import RenditionHeld, RenditionIndex, held_indexes
from oca.store.layout import RenditionKey


class Part:
    """What one disk holds of a rendition. Bit i of `bits` (LSB first) is `RenditionIndex.objects[i]`."""

    __slots__ = ("bits", "bytes", "mtime_ns", "objects")

    def __init__(self, total: int, bits: bytes = b"", size: int = 0, mtime_ns: int = 0) -> None:
        self.bits = bytearray(bits) if bits else bytearray((total + 7) // 8)
        self.objects = sum(byte.bit_count() for byte in self.bits)
        self.bytes = size
        self.mtime_ns = mtime_ns
        """The directory's time when the books last agreed with it; 0 when they must be compared."""

    def has(self, position: int) -> bool:
        """Whether the object at `position` is here."""
        return bool(self.bits[position >> 3] >> (position & 7) & 1)

    def add(self, position: int, size: int) -> bool:
        """Note the object at `position`; False when it was noted already."""
        if self.has(position):
            return False
        self.bits[position >> 3] |= 1 << (position & 7)
        self.objects += 1
        self.bytes += size
        return True

    def drop(self, position: int, size: int) -> bool:
        """Forget the object at `position`; False when it was not noted."""
        if not self.has(position):
            return False
        self.bits[position >> 3] &= ~(1 << (position & 7)) & 0xFF
        self.objects -= 1
        self.bytes -= size
        assert self.bytes >= 0, f"{self.bytes} bytes after {size} were dropped"
        return True

    def positions(self) -> Iterator[int]:
        """Positions of the objects here, ascending."""
        return held_indexes(bytes(self.bits))


class Entry:
    """One rendition: what is held on which disk, and how much it was asked for."""

    __slots__ = (
        "index_bytes",
        "index_xxh3",
        "key",
        "last_used",
        "objects_total",
        "parts",
        "pinned",
        "requests",
        "value",
    )

    def __init__(self, key: RenditionKey, *, index_bytes: int, index_xxh3: str, objects_total: int) -> None:
        self.key = key
        self.index_bytes = index_bytes
        self.index_xxh3 = index_xxh3
        self.objects_total = objects_total
        self.parts: dict[str, Part] = {}
        self.last_used = 0.0
        self.requests = 0
        self.pinned = False
        self.value: float | None = None
        """The plan's value when the plan holds it, else None."""

    def __repr__(self) -> str:
        return f"<Entry {self.key}: {self.objects_held}/{self.objects_total} objects on {sorted(self.parts)}>"

    @property
    def bytes_held(self) -> int:
        """Bytes of its objects on all disks, without indexes."""
        return sum(part.bytes for part in self.parts.values())

    @property
    def bytes_on_disks(self) -> int:
        """Bytes it takes of the disks, with the index that lies beside each part."""
        return self.bytes_held + self.index_bytes * len(self.parts)

    @property
    def objects_held(self) -> int:
        """Objects held. One that is on two disks after a fault counts once."""
        if len(self.parts) == 1:
            return next(iter(self.parts.values())).objects
        return sum(byte.bit_count() for byte in self.bitmap)

    @property
    def bitmap(self) -> bytes:
        """The objects held on any disk."""
        merged = bytearray((self.objects_total + 7) // 8)
        for part in self.parts.values():
            for at, byte in enumerate(part.bits):
                merged[at] |= byte
        return bytes(merged)

    def where(self, position: int) -> str | None:
        """The disk that has the object at `position`."""
        return next((disk for disk, part in self.parts.items() if part.has(position)), None)

    def row(self) -> RenditionHeld:
        """The rendition as inventories tell it."""
        return RenditionHeld(
            title=self.key.title,
            rendition=self.key.rendition,
            objects_total=self.objects_total,
            objects_held=self.objects_held,
            bytes_held=self.bytes_held,
            bitmap=self.bitmap,
        )


def part_of(index: RenditionIndex, sizes: dict[str, int]) -> Part:
    """The part made of the files in `sizes` (name → bytes) that are objects of `index` with the right size."""
    part = Part(len(index.objects))
    for position, stored in enumerate(index.objects):
        if sizes.get(stored.name) == stored.bytes:
            part.add(position, stored.bytes)
    return part
