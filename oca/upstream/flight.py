"""One object on its way here, however many wait for it.

A flight is a task of its own: whoever asked first may go away, the others lose nothing; when nobody is left
it ends. It tells its listeners what is safe to send. The rule that all else serves: bytes are announced as
they come, but the last ones only after length and checksum held, so a source that lies can break a response
off and never complete one. Bytes that were announced are never written again, only compared.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Protocol

import xxhash

from control.wire import Source, StoredObject
from oca.store.faults import DiskError, NoRoomError
from oca.store.layout import ObjectKey
from oca.store.shelves import Incoming
from oca.upstream.faults import AbsentError, BrokenError, LyingError, RefusedError, SourceError
from oca.upstream.known import KnownIndex
from oca.upstream.source import Upstream

HELD_BACK_BYTES = 64 * 1024
"""The last bytes of an object, announced only when it has been verified. A smaller object: all of it."""

DISK_ATTEMPTS = 4
"""Disks that may fail under one flight before it gives up."""


class Stowage(Protocol):
    """Where objects land. The keeper makes room behind it."""

    async def begin(self, key: ObjectKey, index: KnownIndex, length: int, *, urgent: bool) -> Incoming:
        """A file for `length` bytes; `urgent`: a viewer waits. Raises NoRoomError, DiskError."""

    async def finish(self, landing: Incoming, position: int, stored: StoredObject) -> Path:
        """Keep it; where it lies now. Raises DiskError. Ends even when the caller is cancelled."""

    def discard(self, landing: Incoming) -> None:
        """Throw it away."""


class Listener(Protocol):
    """Who waits for a flight. Called on the event loop; must not block or raise."""

    def growing(self, key: str, path: str, length: int, available: int) -> None:
        """The object arrives at `path`; `available` bytes may be sent."""

    def grown(self, key: str, available: int) -> None:
        """`available` bytes may be sent. Only after `growing`."""

    def stored(self, key: str, path: str) -> None:
        """It is whole, under its real name. Only after `growing`."""

    def refused(self, key: str, status: int, reason: str) -> None:
        """It cannot be had. Only before `growing`."""

    def failed(self, key: str, reason: str) -> None:
        """What was announced cannot be completed. Only after `growing`."""


Pace = Callable[[int], float]
"""Called with every count of bytes received; how many seconds to wait before reading on."""


class _PrefixDiffersError(Exception):
    """Bytes announced from one source are not those of another: the file cannot be completed."""


class Flight:
    """The fetch of one object. Made and ended by `Flights`."""

    def __init__(
        self,
        key: ObjectKey,
        index: KnownIndex,
        position: int,
        *,
        sources: Sequence[Source],
        via: Sequence[str],
        pace: Pace | None,
        upstream: Upstream,
        stowage: Stowage,
        blame: Callable[[Source, SourceError], None],
        received: Callable[[Source, int], None],
    ) -> None:
        self.key = key
        self.name = str(key)
        self.wanted = index.at(position)
        self.announced = 0
        self.asking: Source | None = None
        self.listeners: dict[Listener, bool] = {}
        """Who waits → whether they were told `growing`."""
        self._index = index
        self._position = position
        self._steps = list(sources)
        self._offered = {source.name for source in sources}
        self._via = via
        self._pace = pace
        self._hurry = asyncio.Event()
        self._upstream = upstream
        self._stowage = stowage
        self._blame = blame
        self._received = received
        self._landing: Incoming | None = None

    def __repr__(self) -> str:
        return f"<Flight {self.name}: {self.announced}/{self.wanted.bytes} bytes, {len(self.listeners)} waiting>"

    async def run(self) -> Path:
        """Fetch the object and keep it. Raises RefusedError when it cannot be had."""
        words: list[str] = []
        disks_lost = 0
        absent = False
        try:
            while self._steps:
                try:
                    return await self._from(self._steps[0])
                except SourceError as fault:
                    source = self._steps.pop(0)
                    self._blame(source, fault)
                    words.append(str(fault))
                    absent |= source.kind == "cache" and isinstance(fault, AbsentError)
                except DiskError as fault:
                    disks_lost += 1
                    self._start_over(str(fault))
                    if disks_lost >= DISK_ATTEMPTS:
                        raise RefusedError(503, str(fault)) from fault
                except _PrefixDiffersError:
                    self._start_over("sources disagree about its bytes")
                except NoRoomError as error:
                    raise RefusedError(503, str(error)) from error
            raise RefusedError(502 if absent else 503, "; ".join(words))
        finally:
            self.asking = None
            if self._landing is not None:
                self._stowage.discard(self._landing)

    # Listeners

    def offer(self, sources: Sequence[Source]) -> None:
        """Someone who joined knows `sources`: those not tried yet come last."""
        fresh = [source for source in sources if source.name not in self._offered]
        self._steps += fresh
        self._offered.update(source.name for source in fresh)

    def hurry(self) -> None:
        """Someone waits who is not bound to the pace: go as fast as the source can, to the end."""
        self._pace = None
        self._hurry.set()

    def join(self, listener: Listener) -> None:
        """`listener` waits from now on, and is told at once what there is."""
        self.listeners[listener] = False
        if self.announced and self._landing is not None:
            self.listeners[listener] = True
            listener.growing(self.name, str(self._landing.path), self.wanted.bytes, self.announced)

    def end(self, path: Path | None, refusal: RefusedError | None) -> None:
        """Tell everybody how it ended."""
        for listener, told in list(self.listeners.items()):
            if path is not None:
                if not told:
                    listener.growing(self.name, str(path), self.wanted.bytes, self.wanted.bytes)
                listener.stored(self.name, str(path))
            elif told:
                listener.failed(self.name, refusal.reason if refusal else "stopped")
            else:
                status, reason = (refusal.status, refusal.reason) if refusal else (503, "stopped")
                listener.refused(self.name, status, reason)
        self.listeners.clear()

    def _announce(self, available: int) -> None:
        if available <= self.announced or self._landing is None:
            return
        self.announced = available
        for listener, told in list(self.listeners.items()):
            if told:
                listener.grown(self.name, available)
            else:
                self.listeners[listener] = True
                listener.growing(self.name, str(self._landing.path), self.wanted.bytes, available)

    def _start_over(self, reason: str) -> None:
        """What was announced cannot be completed: cut those who were told, begin anew for the others."""
        for listener, told in list(self.listeners.items()):
            if told:
                del self.listeners[listener]
                listener.failed(self.name, reason)
        self.announced = 0
        if self._landing is not None:
            self._stowage.discard(self._landing)
            self._landing = None

    # One source

    async def _from(self, source: Source) -> Path:
        self.asking = source
        if self._landing is None:
            self._landing = await self._stowage.begin(
                self.key, self._index, self.wanted.bytes, urgent=self._pace is None
            )
        async with self._upstream.fetch(source, self.name, self._via) as answer:
            if answer.length is not None and answer.length != self.wanted.bytes:
                raise LyingError(source.name, f"has {answer.length} bytes, and the index says {self.wanted.bytes}")
            await self._receive(source, answer.chunks)
        self._announce(self.wanted.bytes)
        landing, self._landing = self._landing, None
        return await self._stowage.finish(landing, self._position, self.wanted)

    async def _receive(self, source: Source, chunks: AsyncIterator[bytes]) -> None:
        hasher = xxhash.xxh3_128()
        at = 0
        async for chunk in chunks:
            if at + len(chunk) > self.wanted.bytes:
                raise LyingError(source.name, f"sent more than the {self.wanted.bytes} bytes of the index")
            hasher.update(chunk)
            await self._put(at, chunk)
            at += len(chunk)
            self._received(source, len(chunk))
            self._announce(min(at, self.wanted.bytes - HELD_BACK_BYTES))
            if self._pace is not None:
                await self._rest(self._pace(len(chunk)))
        if at != self.wanted.bytes:
            raise BrokenError(source.name, f"ended after {at} of {self.wanted.bytes} bytes")
        if hasher.hexdigest() != self.wanted.xxh3:
            raise LyingError(source.name, f"sent bytes whose checksum is not the index's {self.wanted.xxh3}")

    async def _rest(self, seconds: float) -> None:
        if seconds > 0:
            try:
                async with asyncio.timeout(seconds):
                    await self._hurry.wait()
            except TimeoutError:
                return

    async def _put(self, at: int, chunk: bytes) -> None:
        assert self._landing is not None
        repeated = max(0, min(len(chunk), self.announced - at))
        if repeated and not await self._landing.same(at, chunk[:repeated]):
            raise _PrefixDiffersError
        if repeated < len(chunk):
            await self._landing.write(at + repeated, chunk[repeated:])
