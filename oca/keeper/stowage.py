"""Room on the disks: objects land here, and what makes way for them is chosen, announced and removed here.

The policy names victims; this is where they go. Order of every removal: out of the directory (no new
`open` finds it), `Gone` to every worker (those that have it open close it), then the bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from control.kit.clock import Clock
from control.kit.logs import get_logger
from control.kit.metrics import Meter
from control.wire import FillPlan, StoredObject
from oca.policy.policy import Policy, Standing
from oca.store.faults import DiskError, NoRoomError
from oca.store.layout import ObjectKey, RenditionKey
from oca.store.shelves import Incoming, Shelves
from oca.upstream.known import KnownIndex

ROUNDS = 8
"""How often room is made for one object before it is refused: others may take the room meanwhile."""

EVICT_AT_ONCE_BYTES = 256 * 1024 * 1024
"""More than twice this and what is wanted is not removed for one object, whatever the disks say."""


class Announcer(Protocol):
    """Tells the workers."""

    def gone(self, prefix: str) -> None:
        """Everything below `prefix` is gone."""

    async def flushed(self) -> None:
        """Return when every worker has been sent what was said so far."""


class Stowage:
    """The shelves with a policy: whatever is put there has room made for it. Satisfies `flight.Stowage`."""

    def __init__(
        self,
        shelves: Shelves,
        policy: Policy,
        *,
        announcer: Announcer,
        clock: Clock,
        meter: Meter,
    ) -> None:
        self.shelves = shelves
        self.policy = policy
        self._announcer = announcer
        self._busy: Callable[[RenditionKey], bool] = lambda _: False
        self._clock = clock
        self._meter = meter
        self._making_room = asyncio.Lock()
        self._leaving: dict[RenditionKey, asyncio.Event] = {}
        self._judged: set[RenditionKey] = set()
        self._tracked: set[RenditionKey] = set()
        self.forgotten: list[Callable[[RenditionKey], None]] = []
        self._log = get_logger()

    def __repr__(self) -> str:
        return f"<Stowage: {self.shelves!r}, {self.policy!r}>"

    def spare(self, busy: Callable[[RenditionKey], bool]) -> None:
        """Ask `busy` before anything makes way: what it names is on its way here."""
        self._busy = busy

    def load(self) -> None:
        """Tell the policy what the books hold, least recently used first."""
        for entry in sorted(self.shelves.books, key=lambda entry: entry.last_used):
            self.policy.track(entry.key, entry.bytes_on_disks, entry.last_used)
            self._tracked.add(entry.key)

    def retrack(self) -> None:
        """Tell the policy anew what is held: a disk came or went."""
        held = {entry.key for entry in self.shelves.books}
        for key in [key for key in self._tracked if key not in held]:
            self._track(key)
        for key in held:
            self._track(key)

    def follow(self, plan: FillPlan) -> None:
        """Protect what `plan` holds, doom what it lets go, and free what no plan names any more."""
        for key in self._judged:
            self.policy.judge(key, Standing.FREE, 0.0)
            self.shelves.books.mark(key, pinned=False, value=None)
        self._judged = set()
        for evict in plan.evict:
            self._judge(RenditionKey(evict.title, evict.rendition), Standing.DOOMED, 0.0)
        for hold in plan.hold:
            standing = Standing.PINNED if hold.pinned else Standing.PLANNED
            self._judge(RenditionKey(hold.title, hold.rendition), standing, hold.value)

    async def settled(self, key: RenditionKey) -> None:
        """Return when `key` is not in the middle of being removed."""
        while key in self._leaving:
            await self._leaving[key].wait()

    # Putting

    async def begin(self, key: ObjectKey, index: KnownIndex, length: int, *, urgent: bool) -> Incoming:
        """A file for `length` bytes. Raises NoRoomError when nothing may make way, DiskError.

        For a viewer (`urgent`) planned renditions make way too when nothing else is left; for the plan
        itself only what it dooms and what no plan names.
        """
        entry = self.shelves.books.get(key.of)
        if entry is not None and entry.index_xxh3 != index.xxh3:
            await self.remove(key.of, reason="index_changed")
        upto = Standing.PINNED if urgent else Standing.FREE
        for _ in range(ROUNDS):
            await self.settled(key.of)
            try:
                incoming = await self.shelves.begin(key, length, index.shelved)
            except NoRoomError as error:
                if not await self._make_room(error.wanted, upto):
                    raise
                continue
            self._track(key.of)
            return incoming
        raise NoRoomError(length)

    async def finish(self, landing: Incoming, position: int, stored: StoredObject) -> Path:
        """Keep the object. Raises DiskError."""
        path = await self.shelves.finish(landing, position, stored)
        self._meter.inc("oca_store_stored_bytes_total", stored.bytes)
        self._track(landing.key.of)
        return path

    def discard(self, landing: Incoming) -> None:
        """Throw an unfinished object away."""
        self.shelves.discard(landing)

    async def put_index(self, index: KnownIndex) -> Path:
        """Keep an index nobody has asked an object of yet; where it lies. Raises NoRoomError, DiskError."""
        entry = self.shelves.books.get(index.key)
        if entry is not None and entry.index_xxh3 != index.xxh3:
            await self.remove(index.key, reason="index_changed")
        await self.settled(index.key)
        path = await self.shelves.put_index(index.key, index.shelved)
        self._track(index.key)
        return path

    # Removing

    async def remove(self, key: RenditionKey, *, reason: str, disk_id: str | None = None) -> int:
        """Remove a rendition from the disks and the workers; the bytes it took. Raises DiskError.

        Returns when every worker has been told and the bytes are gone.
        """
        await self.settled(key)
        done = self._leaving[key] = asyncio.Event()
        try:
            await self.shelves.landed(key)
            freed = await self.shelves.remove(key, lambda: self._announcer.gone(key.prefix), disk_id=disk_id)
            await self._announcer.flushed()
        finally:
            del self._leaving[key]
            done.set()
            self._track(key)
        for forget in self.forgotten:
            forget(key)
        self._meter.inc("oca_store_evicted_bytes_total", freed, reason=reason)
        self._log.info("rendition_removed", rendition=str(key), bytes=freed, reason=reason)
        return freed

    async def remove_object(self, key: ObjectKey, position: int, size: int) -> int:
        """Remove one object, as `remove` does."""
        await self.shelves.landed(key.of)
        freed = await self.shelves.remove_object(key, position, size, lambda: self._announcer.gone(str(key)))
        await self._announcer.flushed()
        self._track(key.of)
        self._meter.inc("oca_store_evicted_bytes_total", freed, reason="purge")
        return freed

    async def keep_below_capacity(self) -> None:
        """Make way where more lies on a disk than it may hold: its capacity was made smaller."""
        for disk in self.shelves.usable:
            while disk.state == "ok" and disk.used_bytes > disk.capacity_bytes:
                victim = self._victim_on(disk.id)
                if victim is None:
                    break
                await self.remove(victim, reason="capacity")

    # How

    async def _make_room(self, wanted: int, upto: Standing) -> bool:
        """Remove what the policy names until a disk has room for `wanted` bytes; False when it never will."""
        async with self._making_room:
            freed = 0
            while freed < 2 * (wanted + EVICT_AT_ONCE_BYTES):
                if any(disk.room_bytes >= wanted for disk in self.shelves.usable):
                    return True
                if not any(disk.state in ("ok", "full") for disk in self.shelves.usable):
                    return False
                victims = self.policy.evict(1, self._spared, upto)
                if not victims:
                    return False
                try:
                    freed += await self.remove(RenditionKey(*victims[0].key), reason="room")
                except DiskError as fault:
                    self._log.error("evict_failed", error=str(fault))
                for disk in self.shelves.usable:
                    if disk.state == "full":
                        await disk.check()
            return False

    def _spared(self, key: tuple[str, str]) -> bool:
        return self._busy(RenditionKey(*key)) or RenditionKey(*key) in self._leaving

    def _victim_on(self, disk_id: str) -> RenditionKey | None:
        """The first to go of those that have a part on the disk."""
        for victim in self.policy.evict(1 << 62, self._spared):
            entry = self.shelves.books.get(RenditionKey(*victim.key))
            if entry is not None and disk_id in entry.parts:
                return entry.key
        return None

    def _track(self, key: RenditionKey) -> None:
        entry = self.shelves.books.get(key)
        if entry is None:
            self.policy.forget(key)
            self._tracked.discard(key)
            return
        if key not in self._judged and entry.value is not None:
            self.shelves.books.mark(key, pinned=False, value=None)
        self.policy.track(key, entry.bytes_on_disks, self._clock.now())
        self._tracked.add(key)

    def _judge(self, key: RenditionKey, standing: Standing, value: float) -> None:
        self._judged.add(key)
        self.policy.judge(key, standing, value)
        held = standing in (Standing.PLANNED, Standing.PINNED)
        self.shelves.books.mark(key, pinned=standing is Standing.PINNED, value=value if held else None)
