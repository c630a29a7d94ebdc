"""The books: which rendition is held where, how much it is asked for, and what changed since when.

In memory, written to the ledger in groups by `flush`. Nothing here touches a disk's files: what the books
say is made true by `shelves.py`, and checked against the disks by `scan.py`.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Any

from oca.store.entry import Entry, Part
from oca.store.layout import RenditionKey
from oca.store.ledger import Change, Ledger

GONE_KEPT = 4096
"""Renditions whose going is remembered for inventories; who is further behind is told everything."""


class Books:
    """Every rendition held. Single writer: the keeper's event loop."""

    def __init__(self) -> None:
        self.change = 0
        """Grows with every change of what is held."""
        self._entries: dict[RenditionKey, Entry] = {}
        self._changed: OrderedDict[RenditionKey, int] = OrderedDict()
        self._gone: deque[tuple[int, RenditionKey]] = deque(maxlen=GONE_KEPT)
        self._gone_complete_since = 0
        self._dirty: set[RenditionKey] = set()
        self._used: set[RenditionKey] = set()

    def __repr__(self) -> str:
        return f"<Books of {len(self._entries)} renditions at change {self.change}>"

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def get(self, key: RenditionKey) -> Entry | None:
        """What is known of `key`."""
        return self._entries.get(key)

    def of_title(self, title: str) -> list[Entry]:
        """Everything held of `title`."""
        return [entry for key, entry in self._entries.items() if key.title == title]

    # Changes of what is held

    def open(self, key: RenditionKey, *, index_bytes: int, index_xxh3: str, objects_total: int) -> Entry:
        """The entry of `key`, made when there is none."""
        entry = self._entries.get(key)
        if entry is None:
            entry = Entry(key, index_bytes=index_bytes, index_xxh3=index_xxh3, objects_total=objects_total)
            self._entries[key] = entry
            self._dirty.add(key)
        return entry

    def place(self, key: RenditionKey, disk: str, part: Part | None = None) -> Part:
        """The part of `key` on `disk`, made empty when there is none, or `part` instead of what was known."""
        entry = self._entries[key]
        if part is not None:
            entry.parts[disk] = part
        elif disk not in entry.parts:
            entry.parts[disk] = Part(entry.objects_total)
        self._note(key)
        return entry.parts[disk]

    def add(self, key: RenditionKey, disk: str, position: int, size: int) -> None:
        """The object at `position` is on `disk` now."""
        if self._entries[key].parts[disk].add(position, size):
            self._note(key)

    def drop(self, key: RenditionKey, disk: str, position: int, size: int) -> None:
        """The object at `position` is no longer on `disk`."""
        entry = self._entries.get(key)
        if entry is not None and disk in entry.parts and entry.parts[disk].drop(position, size):
            self._note(key)

    def remove(self, key: RenditionKey, disk: str) -> None:
        """Nothing of `key` is on `disk` any more; without parts it is forgotten."""
        entry = self._entries.get(key)
        if entry is None or entry.parts.pop(disk, None) is None:
            return
        if entry.parts:
            self._note(key)
            return
        self.forget(key)

    def forget(self, key: RenditionKey) -> None:
        """Forget `key`."""
        if self._entries.pop(key, None) is None:
            return
        self.change += 1
        self._changed.pop(key, None)
        if len(self._gone) == GONE_KEPT:
            self._gone_complete_since = self._gone[0][0]
        self._gone.append((self.change, key))
        self._dirty.add(key)

    # Changes of what is known of it

    def used(self, key: RenditionKey, requests: int, now: float) -> None:
        """`key` was asked for `requests` times until `now`."""
        entry = self._entries.get(key)
        if entry is not None:
            entry.requests += requests
            entry.last_used = max(entry.last_used, now)
            self._used.add(key)

    def mark(self, key: RenditionKey, *, pinned: bool, value: float | None) -> None:
        """What the plan says of `key`: pinned, and its value or None when no plan holds it."""
        entry = self._entries.get(key)
        if entry is not None and (entry.pinned, entry.value) != (pinned, value):
            entry.pinned, entry.value = pinned, value
            self._dirty.add(key)

    def settle(self, key: RenditionKey, disk: str, mtime_ns: int) -> None:
        """The books agree with the directory of `key` on `disk` as of its time `mtime_ns`."""
        entry = self._entries.get(key)
        if entry is not None and disk in entry.parts and entry.parts[disk].mtime_ns != mtime_ns:
            entry.parts[disk].mtime_ns = mtime_ns
            self._dirty.add(key)

    # For inventories

    def since(self, change: int) -> tuple[list[Entry], list[RenditionKey]] | None:
        """What is held anew or differently after `change`, and what is gone; None when that is forgotten."""
        if change < self._gone_complete_since or change > self.change:
            return None
        changed = []
        for key, at in reversed(self._changed.items()):
            if at <= change:
                break
            changed.append(self._entries[key])
        gone = {key for at, key in self._gone if at > change and key not in self._entries}
        return changed, sorted(gone)

    # To and from the ledger

    def load(self, ledger: Ledger) -> None:
        """Take everything from `ledger`."""
        assert not self._entries, "the books are loaded once"
        self._entries = {entry.key: entry for entry in ledger.entries()}
        for key in self._entries:
            self._note(key)
        self._dirty.clear()

    @property
    def dirty(self) -> int:
        """Renditions not yet written to the ledger as they are."""
        return len(self._dirty)

    def take_changes(self, *, popularity: bool) -> list[Change]:
        """Rows for the ledger, and count them as written; with `popularity` also where only that changed."""
        taken, self._dirty = self._dirty, set()
        if popularity:
            taken |= self._used
            self._used = set()
        return [_change(key, self._entries.get(key)) for key in taken]

    def put_back(self, changes: list[Change]) -> None:
        """`changes` could not be written; they are tried again with the next."""
        self._dirty.update(key for key, _, _ in changes)

    def audit(self) -> None:
        """Assert that counts, bitmaps and bytes agree."""
        for key, entry in self._entries.items():
            assert entry.key == key, f"{entry!r} is filed under {key}"
            for disk, part in entry.parts.items():
                counted = sum(byte.bit_count() for byte in part.bits)
                assert counted == part.objects <= entry.objects_total, f"{entry!r} on {disk}: {counted}"
                assert part.bytes >= 0, f"{entry!r} on {disk}: {part.bytes} bytes"

    def _note(self, key: RenditionKey) -> None:
        self.change += 1
        self._changed[key] = self.change
        self._changed.move_to_end(key)
        self._dirty.add(key)


def _change(key: RenditionKey, entry: Entry | None) -> Change:
    if entry is None:
        return key, None, []
    row: tuple[Any, ...] = (
        *key,
        entry.index_bytes,
        entry.index_xxh3,
        entry.objects_total,
        entry.last_used,
        entry.requests,
        int(entry.pinned),
        entry.value,
    )
    parts = [(*key, disk, bytes(part.bits), part.bytes, part.mtime_ns) for disk, part in entry.parts.items()]
    return key, row, parts
