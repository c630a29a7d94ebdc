"""Which disk a rendition goes to. Pure.

Capacity-weighted rendezvous hashing (Schindelhauer and Schomaker, "Weighted distributed hash tables",
2005): every rendition orders all disks by a score of its own, and a disk comes first in proportion to its
capacity. A disk that comes or goes moves only the renditions for which it is first. What does not fit on
the first goes to the next: it spills.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Protocol

import xxhash

from oca.store.layout import RenditionKey

_SCALE = float(1 << 64)


class Place(Protocol):
    """What placement must know of a disk."""

    id: str
    capacity_bytes: int

    @property
    def room_bytes(self) -> int:
        """Bytes that may still be put there."""


def score(disk: str, capacity_bytes: int, key: RenditionKey) -> float:
    """How much `key` wants to be on `disk`: -capacity / ln(u), with u in (0, 1) drawn by hashing both names."""
    drawn = (xxhash.xxh3_64_intdigest(f"{disk}\0{key}".encode()) + 0.5) / _SCALE
    return -capacity_bytes / math.log(drawn) if drawn < 1.0 else math.inf


def order(disks: Iterable[Place], key: RenditionKey) -> list[Place]:
    """`disks` as `key` prefers them, whether or not there is room."""
    return sorted(disks, key=lambda disk: (-score(disk.id, disk.capacity_bytes, key), disk.id))


def choose(disks: Iterable[Place], key: RenditionKey, wanted: int) -> Place | None:
    """The first disk in `key`'s order with room for `wanted` bytes, or None when every one is too full."""
    return next((disk for disk in order(disks, key) if disk.room_bytes >= wanted), None)
