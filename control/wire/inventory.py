"""What an appliance holds, per rendition, as bitmaps over the objects of the rendition's index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from control.wire.names import Count, Message, Name, UnixSeconds


class RenditionHeld(msgspec.Struct, frozen=True, kw_only=True):
    """Objects held of one rendition: bit i of `bitmap` (LSB first) is `RenditionIndex.objects[i]`."""

    title: Name
    rendition: Name
    objects_total: Count
    objects_held: Count
    bytes_held: Count
    bitmap: bytes

    @property
    def complete(self) -> bool:
        """Whether every object is held."""
        return self.objects_held == self.objects_total > 0


class Inventory(Message, frozen=True, kw_only=True):
    """All that is held (`full`), or what changed since the last: `held` replaces rows, `gone` removes them."""

    appliance: Name
    epoch: UnixSeconds
    sequence: Count
    full: bool
    held: tuple[RenditionHeld, ...] = ()
    gone: tuple[tuple[Name, Name], ...] = ()
    """(title, rendition) pairs no longer held at all."""


def succession(kept: tuple[float, int] | None, inventory: Inventory) -> Literal["take", "stale", "gap"]:
    """What a receiver does with `inventory`, having applied the one of epoch and sequence `kept` (None: none yet).

    `stale`: already applied or overtaken, drop it. `gap`: changes in between were lost, ask for a full one.

    >>> change = Inventory(appliance="a", epoch=1.0, sequence=5, full=False)
    >>> succession((1.0, 4), change), succession((1.0, 5), change), succession((1.0, 3), change)
    ('take', 'stale', 'gap')
    """
    order = (inventory.epoch, inventory.sequence)
    if kept is not None and order <= kept:
        return "stale"
    if inventory.full or (kept is not None and order == (kept[0], kept[1] + 1)):
        return "take"
    return "gap"


def bitmap_of(indexes: Iterable[int], total: int) -> bytes:
    r"""A bitmap of `total` bits with the given ones set, LSB first.

    >>> bitmap_of([0, 9], 10)
    b'\x01\x02'
    """
    bits = bytearray((total + 7) // 8)
    for index in indexes:
        if not 0 <= index < total:
            raise ValueError(f"bit {index} is outside a bitmap of {total}")
        bits[index >> 3] |= 1 << (index & 7)
    return bytes(bits)


def held_indexes(bitmap: bytes) -> Iterator[int]:
    r"""The set bits of `bitmap`, ascending.

    >>> list(held_indexes(b"\x01\x02"))
    [0, 9]
    """
    for byte_index, byte in enumerate(bitmap):
        for bit in range(8):
            if byte >> bit & 1:
                yield byte_index * 8 + bit
