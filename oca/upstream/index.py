"""The indexes of renditions: from memory, else from our disks, else from upstream; one fetch however many ask.

An index is fetched before any object of its rendition and checked against the plan's checksum where there is
a plan. An object that is not in it is refused without a word to upstream.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from control.kit.clock import Clock
from control.kit.logs import get_logger
from control.kit.metrics import Meter
from control.wire import Source
from oca.config import UpstreamSettings
from oca.store.layout import INDEX, RenditionKey
from oca.upstream.faults import AbsentError, LyingError, RefusedError, SourceError
from oca.upstream.known import KnownIndex, read_index
from oca.upstream.negative import Negative
from oca.upstream.source import Upstream
from oca.upstream.trust import Trust

Account = Callable[[Source, int], None]


class _Ask(NamedTuple):
    """Who may be asked for an index, which appliances have been already, and what it should be."""

    sources: tuple[Source, ...]
    via: tuple[str, ...]
    xxh3: str | None
    account: Account | None


class IndexShelf(Protocol):
    """Where indexes lie on our disks."""

    async def index_bytes(self, key: RenditionKey) -> bytes | None:
        """The index of `key` as it lies there."""


class Indexes:
    """Indexes by rendition; the least recently asked for leaves memory first."""

    def __init__(
        self,
        settings: UpstreamSettings,
        *,
        upstream: Upstream,
        shelf: IndexShelf,
        trust: Trust,
        clock: Clock,
        meter: Meter,
    ) -> None:
        self.negative = Negative(ttl_s=settings.negative_ttl, entries=settings.negative_entries)
        self._settings = settings
        self._upstream = upstream
        self._shelf = shelf
        self._trust = trust
        self._clock = clock
        self._meter = meter
        self._known: OrderedDict[RenditionKey, KnownIndex] = OrderedDict()
        self._fetching: dict[RenditionKey, asyncio.Task[KnownIndex]] = {}
        self._log = get_logger()

    def __repr__(self) -> str:
        return f"<Indexes: {len(self._known)} in memory, {len(self._fetching)} being fetched>"

    def in_memory(self, key: RenditionKey) -> KnownIndex | None:
        """The index of `key` if it is in memory: for counting, never worth waiting for."""
        return self._known.get(key)

    async def get(
        self,
        key: RenditionKey,
        sources: Sequence[Source],
        *,
        via: Sequence[str] = (),
        xxh3: str | None = None,
        account: Account | None = None,
    ) -> KnownIndex:
        """The index of `key`. Raises RefusedError. Cancelling one who waits leaves the others their fetch.

        `account` is told what a fetch begun by this call brought, and from whom.
        """
        known = self._known.get(key)
        if known is not None and xxh3 in (None, known.xxh3):
            self._known.move_to_end(key)
            return known
        refusal = self.negative.get(key, self._clock.monotonic())
        if refusal is not None:
            raise refusal
        joined = self._fetching.get(key)
        if joined is not None:
            try:
                found = await asyncio.shield(joined)
            except RefusedError as error:
                if error.status == 404:
                    raise
            else:
                if xxh3 in (None, found.xxh3):
                    return found
        return await asyncio.shield(self._own(key, _Ask(tuple(sources), tuple(via), xxh3, account)))

    def _own(self, key: RenditionKey, ask: _Ask) -> asyncio.Task[KnownIndex]:
        """A fetch with these sources, or one that somebody else began meanwhile."""
        task = self._fetching.get(key)
        if task is None:
            if len(self._fetching) >= self._settings.max_flights:
                raise RefusedError(503, "too many fetches are under way")
            task = asyncio.get_running_loop().create_task(self._find(key, ask))
            self._fetching[key] = task
            task.add_done_callback(lambda done: self._found(key, done))
        return task

    def forget(self, key: RenditionKey) -> None:
        """Drop `key` from memory: it was evicted or purged."""
        self._known.pop(key, None)

    async def stop(self) -> None:
        """Cancel what is being fetched."""
        tasks = list(self._fetching.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _found(self, key: RenditionKey, task: asyncio.Task[KnownIndex]) -> None:
        self._fetching.pop(key, None)
        if task.cancelled() or task.exception() is not None:
            return
        self._known[key] = task.result()
        while len(self._known) > self._settings.index_entries:
            self._known.popitem(last=False)

    async def _find(self, key: RenditionKey, ask: _Ask) -> KnownIndex:
        held = await self._shelf.index_bytes(key)
        if held is not None:
            try:
                return read_index(key, held, object_limit=self._settings.object_limit, xxh3=ask.xxh3)
            except ValueError as error:
                self._log.warning("index_not_as_planned", rendition=str(key), error=str(error))
        may, words = self._trust.sift(ask.sources, key, self._clock.monotonic())
        unknown = False
        for source in may:
            try:
                found = await self._fetch(source, key, ask)
            except SourceError as fault:
                words.append(str(fault))
                unknown |= source.kind == "cache" and isinstance(fault, AbsentError) and not fault.loop
                self._blame(source, fault, key)
                continue
            return found
        refusal = RefusedError(404 if unknown else 503, "; ".join(words) or f"no source for {key} yet")
        if unknown:
            self.negative.note(key, refusal, self._clock.monotonic())
        raise refusal

    async def _fetch(self, source: Source, key: RenditionKey, ask: _Ask) -> KnownIndex:
        data = bytearray()
        async with self._upstream.fetch(source, str(key.object(INDEX)), ask.via) as answer:
            async for chunk in answer.chunks:
                data += chunk
                if len(data) > self._settings.index_limit:
                    raise LyingError(source.name, f"sent an index of more than {self._settings.index_limit} bytes")
        self._meter.inc("oca_upstream_bytes_total", len(data), kind=source.kind)
        if ask.account is not None:
            ask.account(source, len(data))
        try:
            return read_index(key, bytes(data), object_limit=self._settings.object_limit, xxh3=ask.xxh3)
        except ValueError as error:
            raise LyingError(source.name, str(error)) from error

    def _blame(self, source: Source, fault: SourceError, key: RenditionKey) -> None:
        self._trust.note(source, key, fault, self._clock.monotonic())
        self._meter.inc("oca_upstream_failures_total", kind=type(fault).__name__)
        if isinstance(fault, LyingError):
            self._log.error("upstream_lied", source=fault.source, key=str(key.object(INDEX)), error=fault.words)
