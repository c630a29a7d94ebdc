"""All disks of the appliance as one place to put objects, and the books that say what is where.

Flow: it orders the steps (choose a disk, write, commit, note). What is worth keeping is the policy's, which
is asked elsewhere; here `begin` only says that there is no room. The books never claim what is not durable
under its real name, and the bytes in use are exact.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from control.kit.clock import Clock
from control.kit.errors import StorageError
from control.kit.logs import get_logger
from control.wire import StoredObject
from oca.store import placement, removal, scan
from oca.store.books import Books
from oca.store.census import agree
from oca.store.disk import Disk
from oca.store.faults import DiskError, NoRoomError
from oca.store.incoming import IncomingFile
from oca.store.layout import INDEX, ObjectKey, RenditionKey, object_path, rendition_path
from oca.store.ledger import Ledger


class Incoming:
    """An object being put on a disk: its file, and the room promised to it."""

    def __init__(self, key: ObjectKey, disk: Disk, file: IncomingFile) -> None:
        self.key = key
        self.disk = disk
        self.file = file
        self.path = file.path
        self.open = True

    def __repr__(self) -> str:
        return f"<Incoming {self.key} on {self.disk.id}>"

    async def write(self, offset: int, data: bytes) -> None:
        """Put `data` at `offset`. Raises DiskError."""
        await self.disk.run(lambda: self.file.write(offset, data))

    async def same(self, offset: int, data: bytes) -> bool:
        """Whether `data` is at `offset` already. Raises DiskError."""
        return await self.disk.run(lambda: self.file.same(offset, data))


class Shelves:
    """The disks and the books of one appliance."""

    def __init__(self, disks: tuple[Disk, ...], ledger: Ledger, clock: Clock) -> None:
        self.disks = {disk.id: disk for disk in disks}
        self.books = Books()
        self.ledger = ledger
        self._clock = clock
        self._landing: dict[asyncio.Task[Path], RenditionKey] = {}
        self._unsettled: dict[tuple[RenditionKey, str], float] = {}
        self._log = get_logger()

    def __repr__(self) -> str:
        return f"<Shelves of {len(self.usable)}/{len(self.disks)} disks, {self.books!r}>"

    @property
    def usable(self) -> list[Disk]:
        """Disks that objects can be read from, in the order of the configuration."""
        return [disk for disk in self.disks.values() if disk.usable]

    # Life

    async def open(self) -> None:
        """Take every disk that can be had and compare it with the books. Raises StorageError when none can."""
        self.books.load(self.ledger)
        outcomes = await asyncio.gather(*map(self.take, self.disks.values()), return_exceptions=True)
        for outcome in outcomes:
            if outcome is not None and not isinstance(outcome, StorageError):
                raise outcome
        if not self.usable:
            raise StorageError("; ".join(str(outcome) for outcome in outcomes))
        for entry in list(self.books):
            for disk_id in [each for each in entry.parts if each not in self.disks or not self.disks[each].usable]:
                self.books.remove(entry.key, disk_id)

    async def take(self, disk: Disk) -> None:
        """Open `disk`, bring the books in line with it, and use it. Raises StorageError."""
        await disk.open(known_uuid=self.ledger.recall(f"disk:{disk.id}"), now=self._clock.now())
        try:
            await self._compare(disk)
            await self.ledger.remember(f"disk:{disk.id}", disk.uuid)
        except DiskError as fault:
            await disk.reject(fault.state, fault.words)
            raise StorageError(str(fault)) from fault
        except StorageError as error:
            await disk.reject("failed", str(error))
            raise
        disk.begin()

    async def _compare(self, disk: Disk) -> None:
        known = {entry.key: entry.parts[disk.id].mtime_ns for entry in self.books if disk.id in entry.parts}
        now_ns = int(self._clock.now() * 1e9)
        survey = await disk.survey(partial(scan.scan, disk.path, known, now_ns))
        for stray in agree(self.books, disk, survey):
            await disk.run(partial(shutil.rmtree, rendition_path(disk.path, stray)))
        for each in survey.listed:
            if each.part.mtime_ns == 0:
                self._touched(each.key, disk)

    def release(self, disk: Disk) -> None:
        """`disk` cannot be read any more: the books forget what was on it."""
        for entry in [entry for entry in self.books if disk.id in entry.parts]:
            self.books.remove(entry.key, disk.id)
        disk.used_bytes = 0

    async def close(self) -> None:
        """Finish what is landing, write the books, let the disks go."""
        await self.landed()
        await self.settle(everything=True)
        await self.flush(popularity=True)
        for disk in self.disks.values():
            await disk.close()
        await self.ledger.close()

    async def flush(self, *, popularity: bool = False) -> None:
        """Write what changed to the ledger; with `popularity` also who was asked for since. Raises StorageError.

        Nothing is lost then: it is tried again with the next.
        """
        changes = self.books.take_changes(popularity=popularity)
        if not changes:
            return
        try:
            await self.ledger.write(changes)
        except BaseException:
            self.books.put_back(changes)
            raise

    async def settle(self, *, everything: bool = False) -> None:
        """Note the times of directories that have come to rest, so that a start need not list them."""
        rested = self._clock.monotonic() - scan.RACY_NS / 1e9
        due = [place for place, changed in self._unsettled.items() if everything or changed < rested]
        now_ns = int(self._clock.now() * 1e9)
        for key, disk_id in due:
            changed = self._unsettled[key, disk_id]
            try:
                path = rendition_path(self.disks[disk_id].path, key)
                mtime_ns = await self.disks[disk_id].peek(partial(scan.settled_time, path, now_ns))
            except DiskError:
                mtime_ns = 0
            if self._unsettled.get((key, disk_id)) == changed:
                del self._unsettled[key, disk_id]
                self.books.settle(key, disk_id, mtime_ns)

    # Finding

    def holds(self, key: ObjectKey, position: int) -> Path | None:
        """Where the object at `position` of its rendition lies, as the books say; None when it is not held."""
        entry = self.books.get(key.of)
        disk = entry.where(position) if entry is not None else None
        return None if disk is None else object_path(self.disks[disk].path, key)

    async def index_bytes(self, key: RenditionKey) -> bytes | None:
        """The index of `key` as it lies on a disk."""
        entry = self.books.get(key)
        for disk_id in list(entry.parts) if entry is not None else ():
            path = rendition_path(self.disks[disk_id].path, key) / INDEX
            try:
                read = await self.disks[disk_id].run(partial(scan.read_index, path, key))
            except DiskError:
                continue
            if read is not None:
                return read[1]
        return None

    def lost(self, key: ObjectKey, disk_id: str, position: int, size: int) -> None:
        """The object is not where the books say: somebody else removed it."""
        entry = self.books.get(key.of)
        if entry is None or disk_id not in entry.parts or not entry.parts[disk_id].has(position):
            return
        self._log.warning("object_lost", key=str(key), disk=disk_id)
        self.books.drop(key.of, disk_id, position, size)
        self.disks[disk_id].used_bytes -= size
        self._touched(key.of, self.disks[disk_id])

    # Putting

    async def begin(self, key: ObjectKey, length: int, index: tuple[bytes, str, int]) -> Incoming:
        """A place for an object of `length` bytes.

        `index` is the encoded index of its rendition, its xxh3 and how many objects it has. Raises
        NoRoomError when no disk has room; DiskError when the disk chosen fails (another is chosen next time).
        """
        needed = length + len(index[0])
        disk = placement.choose(self.usable, key.of, needed)
        if disk is None:
            raise NoRoomError(needed)
        assert isinstance(disk, Disk)
        disk.promised_bytes += length
        try:
            await self._shelve_index(key.of, disk, index)
            return Incoming(key, disk, await disk.create(length))
        except BaseException:
            disk.promised_bytes -= length
            raise

    async def put_index(self, key: RenditionKey, index: tuple[bytes, str, int]) -> Path:
        """Keep the index of `key` on the disk its objects would go to. Raises NoRoomError, DiskError."""
        entry = self.books.get(key)
        for disk_id in entry.parts if entry is not None else ():
            return rendition_path(self.disks[disk_id].path, key) / INDEX
        disk = placement.choose(self.usable, key, len(index[0]))
        if disk is None:
            raise NoRoomError(len(index[0]))
        assert isinstance(disk, Disk)
        await self._shelve_index(key, disk, index)
        return rendition_path(disk.path, key) / INDEX

    async def finish(self, incoming: Incoming, position: int, stored: StoredObject) -> Path:
        """Make the object durable under its real name and note it. Raises DiskError.

        Once begun it ends: cancelling the caller does not leave the books behind the disk.
        """
        task = asyncio.get_running_loop().create_task(self._land(incoming, position, stored))
        self._landing[task] = incoming.key.of
        task.add_done_callback(self._landing.pop)
        return await asyncio.shield(task)

    async def landed(self, key: RenditionKey | None = None) -> None:
        """Return when nothing of `key`, or nothing at all, is being made durable."""
        tasks = [task for task, landing in self._landing.items() if key in (None, landing)]
        await asyncio.gather(*tasks, return_exceptions=True)

    def discard(self, incoming: Incoming) -> None:
        """Throw an unfinished object away."""
        if incoming.open:
            incoming.open = False
            incoming.disk.promised_bytes -= incoming.file.length
            incoming.file.discard()

    # Removing

    async def remove(self, key: RenditionKey, told: Callable[[], None], *, disk_id: str | None = None) -> int:
        """Remove a rendition: out of sight at once, `told` called, then unlinked. Returns the bytes it took.

        `disk_id` limits it to one disk. Raises DiskError when a disk could not do it; the others have.
        """
        faults: list[DiskError] = []
        freed = 0
        graves = []
        disks = [disk for disk in self.usable if disk_id is None or disk.id == disk_id]
        for disk in disks:
            grave = disk.graveyard()
            place = rendition_path(disk.path, key)
            try:
                if await disk.run(partial(removal.bury, place, grave)):
                    graves.append((disk, grave))
                freed += self._forget(key, disk)
            except DiskError as fault:
                faults.append(fault)
        told()
        for disk, grave in graves:
            try:
                await disk.sweep(everything=True)
                await disk.run(partial(shutil.rmtree, grave))
            except DiskError as fault:
                faults.append(fault)
        if faults:
            raise faults[0]
        return freed

    async def remove_object(self, key: ObjectKey, position: int, size: int, told: Callable[[], None]) -> int:
        """Remove one object, as `remove` does. Returns the bytes it took."""
        freed = 0
        for disk in self.usable:
            entry = self.books.get(key.of)
            held = entry is not None and disk.id in entry.parts and entry.parts[disk.id].has(position)
            path = object_path(disk.path, key)
            await disk.sweep(everything=True)
            await disk.run(partial(removal.bury_object, path))
            if held:
                self.books.drop(key.of, disk.id, position, size)
                disk.used_bytes -= size
                freed += size
            self._touched(key.of, disk)
        told()
        return freed

    # How

    async def _shelve_index(self, key: RenditionKey, disk: Disk, index: tuple[bytes, str, int]) -> None:
        data, digest, total = index
        entry = self.books.get(key)
        if entry is not None and disk.id in entry.parts:
            return
        disk.promised_bytes += len(data)
        try:
            file = await disk.create(len(data))
            try:
                await disk.run(lambda: file.write(0, data))
            except BaseException:
                file.discard()
                raise
            await asyncio.shield(disk.commit(file, rendition_path(disk.path, key) / INDEX))
        finally:
            disk.promised_bytes -= len(data)
        entry = self.books.open(key, index_bytes=len(data), index_xxh3=digest, objects_total=total)
        if disk.id not in entry.parts:
            self.books.place(key, disk.id)
            disk.used_bytes += len(data)
        self._touched(key, disk)

    async def _land(self, incoming: Incoming, position: int, stored: StoredObject) -> Path:
        assert incoming.open, f"{incoming!r} was finished or discarded before"
        incoming.open = False
        key, disk = incoming.key, incoming.disk
        target = object_path(disk.path, key)
        try:
            await disk.commit(incoming.file, target)
        finally:
            disk.promised_bytes -= incoming.file.length
        entry = self.books.get(key.of)
        if entry is None or disk.id not in entry.parts:
            await disk.sweep(everything=True)
            await disk.run(partial(removal.unshelve, target))
            raise DiskError(disk.id, disk.state, f"{key.of} was removed while {key.object} arrived")
        if not entry.parts[disk.id].has(position):
            disk.used_bytes += stored.bytes
        self.books.add(key.of, disk.id, position, stored.bytes)
        self._touched(key.of, disk)
        return target

    def _forget(self, key: RenditionKey, disk: Disk) -> int:
        entry = self.books.get(key)
        if entry is None or disk.id not in entry.parts:
            return 0
        freed = entry.parts[disk.id].bytes + entry.index_bytes
        self.books.remove(key, disk.id)
        disk.used_bytes -= freed
        self._unsettled.pop((key, disk.id), None)
        return freed

    def _touched(self, key: RenditionKey, disk: Disk) -> None:
        self._unsettled[key, disk.id] = self._clock.monotonic()
