"""One disk: a directory that is ours alone, its state, its room, and the threads that touch it.

Nothing here knows what is worth keeping. Every blocking call runs on the disk's own threads, so a disk
that hangs holds up only itself; errors of the kernel become DiskErrors and change the disk's state.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from control.kit.errors import StorageError
from control.kit.logs import get_logger
from control.kit.quantity import human_bytes
from control.wire import DiskReport, DiskState
from oca.config import DiskSettings
from oca.store import incoming
from oca.store.claim import Claim, Wanted, claim, empty_incoming
from oca.store.faults import DiskError, fault_of
from oca.store.incoming import IncomingFile
from oca.store.layout import INCOMING

T = TypeVar("T")

THREADS = 4
"""For reading and writing; `SYNCERS` for making durable, which is waiting."""
SYNCERS = 16
COMMIT_PATIENCE = 4
"""Making objects durable may take this many times as long as any other operation."""
LEAST_FREE_BYTES = 16 * 1024 * 1024
"""A file system with less than this left counts as full; of one smaller than 100 times this, 1 %."""


class Disk:
    """A disk of the appliance. Lifetime of the process; `open` may be tried again after a failure."""

    def __init__(self, settings: DiskSettings, *, appliance: str, slow_after_s: float, sync_batch: int) -> None:
        self.id = settings.id
        self.path = settings.path.absolute()
        self.tier = settings.tier
        self.reserve_bytes = int(settings.reserve)
        self.capacity_bytes = int(settings.capacity)
        self.state: DiskState = "missing"
        self.error = "not opened yet"
        self.uuid: str | None = None
        self.used_bytes = 0
        self.promised_bytes = 0
        self._limit_bytes = int(settings.capacity)
        self._free_bytes = 0
        self._margin_bytes = LEAST_FREE_BYTES
        self._appliance = appliance
        self._slow_after_s = slow_after_s
        self._sync_batch = sync_batch
        self._threads: ThreadPoolExecutor | None = None
        self._committer: ThreadPoolExecutor | None = None
        self._syncers: ThreadPoolExecutor | None = None
        self._committing: deque[tuple[IncomingFile, Path, Future[OSError | None]]] = deque()
        self._retired: list[Path] = []
        self._retiring: list[Path] = []
        self._claim: Claim | None = None
        self._names = itertools.count()
        self._log = get_logger(disk=self.id)

    def __repr__(self) -> str:
        return f"<Disk {self.id} at {self.path}: {self.state}, {human_bytes(self.used_bytes)} used>"

    # Its life

    async def open(self, *, known_uuid: str | None, now: float) -> None:
        """Take the disk: identity, lock, room; `begin` uses it. Raises StorageError in words, with the state set.

        `known_uuid` is what the books remember of it; a disk of memory may come back as another.
        """
        assert self._claim is None, f"{self!r} opened twice"
        known = None if self.tier == "memory" else known_uuid
        wanted = Wanted(self.path, self.id, self._appliance, known)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix=f"disk-{self.id}")
        self._committer = ThreadPoolExecutor(1, thread_name_prefix=f"commit-{self.id}")
        self._syncers = ThreadPoolExecutor(SYNCERS, thread_name_prefix=f"sync-{self.id}")
        try:
            self._claim = await self._claimed(wanted, now)
            await self.survey(partial(empty_incoming, self.path))
            self._free_bytes = await self._guarded(self._look)
        except DiskError as fault:
            await self.reject(fault.state, fault.words)
            raise StorageError(f"{wanted.words}: {fault.words}") from fault
        except StorageError as error:
            await self.reject("failed" if self.path.is_dir() else "missing", str(error))
            raise
        self.uuid = self._claim.uuid
        self.fit()

    def begin(self) -> None:
        """The books agree with what lies on it: from now on it is used."""
        assert self._claim is not None, f"{self!r} is used while it is closed"
        self.fit()
        self._become("ok", "")

    async def reject(self, state: DiskState, words: str) -> None:
        """Let the disk go: it cannot be used, for the reason in `words`."""
        self._become(state, words)
        await self.close()

    async def close(self) -> None:
        """Finish what is being committed and let the disk go. May be called again."""
        for executor in (self._threads, self._committer, self._syncers):
            if executor is not None:
                hung = self.state in ("failed", "missing")
                await asyncio.to_thread(executor.shutdown, wait=not hung, cancel_futures=hung)
        self._threads = self._committer = self._syncers = None
        if self._claim is not None:
            self._claim.release()
            self._claim = None

    async def check(self) -> None:
        """Look whether the disk is still there and has room; a disk that was full may be usable again."""
        if self._threads is None:
            return
        try:
            self._free_bytes = await self._guarded(self._look)
        except DiskError as fault:
            self._become(fault.state, fault.words)
            return
        self.fit()
        await self.sweep()
        if self.state == "ok" and self._free_bytes < self._margin_bytes:
            self._become("full", f"{self._free_bytes} bytes are left on its file system")
        elif self.state == "full" and self._free_bytes > 2 * self._margin_bytes:
            self._become("ok", "")

    def fit(self) -> None:
        """Set the capacity to what is configured, or less when the file system has no room for it."""
        room = self.used_bytes + self.promised_bytes + self._free_bytes - self._margin_bytes
        room -= room % self._margin_bytes
        self.capacity_bytes = max(0, min(self._limit_bytes or room, room))

    # What is asked of it

    @property
    def usable(self) -> bool:
        """Whether objects can be read from it."""
        return self.state in ("ok", "full", "readonly")

    @property
    def open_now(self) -> bool:
        """Whether the disk is taken, usable or not."""
        return self._threads is not None

    @property
    def room_bytes(self) -> int:
        """Bytes that may still be put on it."""
        return max(0, self.capacity_bytes - self.used_bytes - self.promised_bytes) if self.state == "ok" else 0

    def report(self) -> DiskReport:
        """The disk as heartbeats tell it."""
        return DiskReport(
            id=self.id,
            tier=self.tier,
            state=self.state,
            capacity_bytes=self.capacity_bytes,
            used_bytes=self.used_bytes,
            reserve_bytes=min(self.reserve_bytes, self.capacity_bytes),
            error=self.error[:4096],
        )

    async def run(self, call: Callable[[], T]) -> T:
        """The result of the blocking `call`, from one of the disk's threads.

        Raises DiskError when it ends in OSError or takes too long, and the disk's state says so.
        """
        try:
            return await self._guarded(call)
        except DiskError as fault:
            await self._blame(fault)
            raise

    async def peek(self, call: Callable[[], T]) -> T:
        """As `run`, for a look whose failure says nothing of the disk."""
        return await self._guarded(call)

    async def survey(self, call: Callable[[], T]) -> T:
        """As `run`, for a call that may take as long as the disk is large."""
        return await self._guarded(call, limit_s=None)

    async def create(self, length: int) -> IncomingFile:
        """A temporary file for an object of `length` bytes. Raises DiskError."""
        path = self.path / INCOMING / f"{next(self._names):08x}"
        return await self.run(lambda: IncomingFile(path, length))

    async def commit(self, file: IncomingFile, target: Path) -> None:
        """Make `file` durable under its real name `target`, together with what else waits. Raises DiskError."""
        if self._committer is None:
            file.discard()
            raise DiskError(self.id, self.state, self.error or "closed")
        done: Future[OSError | None] = Future()
        self._committing.append((file, target, done))
        self._committer.submit(self._commit_waiting)
        try:
            async with asyncio.timeout(COMMIT_PATIENCE * self._slow_after_s):
                error = await asyncio.wrap_future(done)
        except TimeoutError as error_:
            words = f"did not make objects durable in {COMMIT_PATIENCE * self._slow_after_s:g} s"
            self._become("failed", words)
            raise DiskError(self.id, "failed", words) from error_
        if error is not None:
            fault = fault_of(self.id, error)
            await self._blame(fault)
            raise fault

    async def sweep(self, *, everything: bool = False) -> None:
        """Remove the temporary names of what was committed before the last sweep, or of everything committed."""
        old, self._retiring, self._retired = self._retiring, self._retired, []
        if everything:
            old, self._retiring = old + self._retiring, []
        if old:
            await self.run(partial(_unlink_all, old))

    def graveyard(self) -> Path:
        """A fresh path in the temporary directory to move what is thrown away to, at once and whole."""
        return self.path / INCOMING / f"gone-{next(self._names):08x}"

    # How

    def _become(self, state: DiskState, error: str) -> None:
        if (state, error) == (self.state, self.error):
            return
        if state != self.state:
            say = self._log.info if state == "ok" else self._log.error
            say("disk_state", state=state, was=self.state, error=error)
        self.state, self.error = state, error

    async def _blame(self, fault: DiskError) -> None:
        """Change the disk's state for `fault`; a name that is not there says nothing while the disk is."""
        if fault.state == "missing":
            try:
                await self._guarded(self._look)
            except DiskError as confirmed:
                self._become(confirmed.state, confirmed.words)
            return
        self._become(fault.state, fault.words)

    async def _guarded(self, call: Callable[[], T], *, limit_s: float | None = -1.0) -> T:
        if self._threads is None:
            raise DiskError(self.id, self.state, self.error or "closed")
        try:
            async with asyncio.timeout(self._slow_after_s if limit_s == -1.0 else limit_s):
                return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except TimeoutError as error:
            words = f"did not answer in {self._slow_after_s:g} s"
            raise DiskError(self.id, "failed", words) from error
        except OSError as error:
            raise fault_of(self.id, error) from error

    async def _claimed(self, wanted: Wanted, now: float) -> Claim:
        """The claim, or a fault; one that comes after we have stopped waiting is let go again."""
        assert self._threads is not None
        future = asyncio.get_running_loop().run_in_executor(self._threads, claim, wanted, now)
        try:
            async with asyncio.timeout(self._slow_after_s):
                return await asyncio.shield(future)
        except TimeoutError as error:
            future.add_done_callback(_let_go)
            raise DiskError(self.id, "failed", f"did not answer in {self._slow_after_s:g} s") from error
        except OSError as error:
            raise fault_of(self.id, error) from error

    def _look(self) -> int:
        here = os.stat(self.path)
        assert self._claim is not None, f"{self!r} is looked at while it is closed"
        held = os.fstat(self._claim.lock)
        if (here.st_dev, here.st_ino) != (held.st_dev, held.st_ino):
            raise FileNotFoundError(errno.ENOENT, "another directory is there now", str(self.path))
        size = os.statvfs(self.path)
        self._margin_bytes = max(4096, min(LEAST_FREE_BYTES, size.f_blocks * size.f_frsize // 100))
        if size.f_flag & os.ST_RDONLY:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self.path))
        os.stat(self.path / INCOMING)
        return size.f_bavail * size.f_frsize

    def _commit_waiting(self) -> None:
        batch: list[tuple[IncomingFile, Path, Future[OSError | None]]] = []
        while self._committing and len(batch) < self._sync_batch:
            each = self._committing.popleft()
            if each[2].set_running_or_notify_cancel():
                batch.append(each)
            else:
                each[0].discard()
        if not batch:
            return
        try:
            assert self._syncers is not None, f"{self!r} commits while it is closed"
            outcomes = incoming.commit([(file, target) for file, target, _ in batch], self._syncers)
        except BaseException as error:
            for _, _, done in batch:
                done.set_exception(error)
            raise
        for (file, _, done), outcome in zip(batch, outcomes, strict=True):
            self._retired.append(file.path)
            done.set_result(outcome)


def _let_go(late: asyncio.Future[Claim]) -> None:
    if not late.cancelled() and late.exception() is None:
        late.result().release()


def _unlink_all(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
