"""Every fetch under way: one per object. Who asks for an object that is on its way joins its flight."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from control.kit.clock import Clock
from control.kit.logs import get_logger
from control.kit.metrics import Meter
from control.wire import Source
from oca.config import UpstreamSettings
from oca.store.layout import ObjectKey, RenditionKey
from oca.upstream.faults import LyingError, RefusedError, SourceError
from oca.upstream.flight import Flight, Listener, Pace, Stowage
from oca.upstream.known import KnownIndex
from oca.upstream.source import Upstream
from oca.upstream.trust import Trust

Account = Callable[[Source, int], None]
"""Told of every count of bytes received, and from whom."""


class Flights:
    """Fetches by key. Lifetime of the process."""

    def __init__(
        self,
        settings: UpstreamSettings,
        *,
        upstream: Upstream,
        stowage: Stowage,
        trust: Trust,
        clock: Clock,
        meter: Meter,
    ) -> None:
        self._settings = settings
        self._upstream = upstream
        self._stowage = stowage
        self._trust = trust
        self._clock = clock
        self._meter = meter
        self._flights: dict[ObjectKey, Flight] = {}
        self._tasks: dict[Flight, asyncio.Task[None]] = {}
        self._renditions: dict[RenditionKey, int] = {}
        self._stopping = False
        self._log = get_logger()

    def __repr__(self) -> str:
        return f"<Flights: {len(self._flights)} under way>"

    def __len__(self) -> int:
        return len(self._tasks)

    def get(self, key: ObjectKey) -> Flight | None:
        """The flight of `key`, if one is under way."""
        return self._flights.get(key)

    def touches(self, key: RenditionKey) -> bool:
        """Whether anything of rendition `key` is on its way: then it must not be evicted."""
        return key in self._renditions

    def join(
        self,
        listener: Listener,
        index: KnownIndex,
        position: int,
        *,
        sources: Sequence[Source],
        via: Sequence[str] = (),
        pace: Pace | None = None,
        account: Account | None = None,
    ) -> None:
        """`listener` waits for the object at `position` of `index`: on its flight, or on a new one.

        Raises RefusedError when nobody may be asked, or too much is under way, or when joining would close a
        circle: the flight is asking one of those that ask us. Someone who joins without `pace` frees the
        flight of its own: a viewer does not wait for the fill's rate. `account` is told what a new flight receives.
        """
        key = index.key.object(index.at(position).name)
        flight = self._flights.get(key)
        if flight is None:
            flight = self._started(key, index, position, sources=sources, via=via, pace=pace, account=account)
        elif flight.asking is not None and flight.asking.name in via:
            raise RefusedError(508, f"{flight.asking.name} is being asked for {key} and asks for it")
        else:
            self._meter.inc("oca_upstream_joined_total")
            flight.offer(sources)
        if pace is None:
            flight.hurry()
        flight.join(listener)

    async def fetch(
        self,
        index: KnownIndex,
        position: int,
        *,
        sources: Sequence[Source],
        via: Sequence[str] = (),
        pace: Pace | None = None,
        account: Account | None = None,
    ) -> Path:
        """The object at `position` of `index`, when it is kept. Raises RefusedError."""
        waiter = _Waiter()
        self.join(waiter, index, position, sources=sources, via=via, pace=pace, account=account)
        try:
            return await waiter.done
        finally:
            self.leave(waiter, index.key.object(index.at(position).name))

    def leave(self, listener: Listener, key: ObjectKey | None = None) -> None:
        """`listener` waits no longer, for `key` or for anything. A flight nobody waits for ends."""
        found = [self._flights[key]] if key in self._flights else [] if key else list(self._flights.values())
        for flight in found:
            if flight.listeners.pop(listener, None) is not None and not flight.listeners:
                self._abandon(flight)

    async def drop(self, key: RenditionKey, name: str | None = None) -> None:
        """End every flight of rendition `key` (or only of its object `name`): it is being purged."""
        doomed = [flight for each, flight in self._flights.items() if each.of == key and name in (None, each.object)]
        tasks = [self._tasks[flight] for flight in doomed]
        for flight in doomed:
            self._abandon(flight)
        if tasks:
            await asyncio.wait(tasks)

    async def stop(self) -> None:
        """End everything."""
        self._stopping = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _started(
        self,
        key: ObjectKey,
        index: KnownIndex,
        position: int,
        *,
        sources: Sequence[Source],
        via: Sequence[str],
        pace: Pace | None,
        account: Account | None,
    ) -> Flight:
        if self._stopping:
            raise RefusedError(503, "the appliance is stopping")
        if len(self._tasks) >= self._settings.max_flights:
            raise RefusedError(503, "too many fetches are under way")
        may, held = self._trust.sift(sources, key.of, self._clock.monotonic())
        if not may:
            raise RefusedError(503, "; ".join(held) or f"no source may be asked for {key} yet")
        flight = Flight(
            key,
            index,
            position,
            sources=may,
            via=via,
            pace=pace,
            upstream=self._upstream,
            stowage=self._stowage,
            blame=lambda source, fault: self._blame(key, source, fault),
            received=lambda source, count: self._received(source, count, account),
        )
        self._flights[key] = flight
        self._renditions[key.of] = self._renditions.get(key.of, 0) + 1
        self._tasks[flight] = asyncio.get_running_loop().create_task(self._fly(flight), name=f"flight {key}")
        return flight

    async def _fly(self, flight: Flight) -> None:
        path, refusal = None, None
        try:
            path = await flight.run()
        except RefusedError as error:
            refusal = error
        except Exception:
            self._log.exception("flight_crashed", key=flight.name)
            refusal = RefusedError(500, "internal error; see the keeper's log")
        finally:
            self._forget(flight)
            flight.end(path, refusal)

    def _abandon(self, flight: Flight) -> None:
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]
        task = self._tasks.get(flight)
        if task is not None:
            task.cancel()

    def _forget(self, flight: Flight) -> None:
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]
        self._tasks.pop(flight, None)
        left = self._renditions[flight.key.of] - 1
        if left:
            self._renditions[flight.key.of] = left
        else:
            del self._renditions[flight.key.of]

    def _received(self, source: Source, count: int, account: Account | None) -> None:
        self._meter.inc("oca_upstream_bytes_total", count, kind=source.kind)
        if account is not None:
            account(source, count)

    def _blame(self, key: ObjectKey, source: Source, fault: SourceError) -> None:
        self._trust.note(source, key.of, fault, self._clock.monotonic())
        self._meter.inc("oca_upstream_failures_total", kind=type(fault).__name__)
        if isinstance(fault, LyingError):
            self._log.error("upstream_lied", source=source.name, url=source.url, key=str(key), error=fault.words)


class _Waiter:
    """One coroutine that waits for a flight."""

    def __init__(self) -> None:
        self.done: asyncio.Future[Path] = asyncio.get_running_loop().create_future()

    def growing(self, key: str, path: str, length: int, available: int) -> None:
        """Nothing to do until it is whole."""

    def grown(self, key: str, available: int) -> None:
        """Nothing to do until it is whole."""

    def stored(self, key: str, path: str) -> None:
        """It is here."""
        if not self.done.done():
            self.done.set_result(Path(path))

    def refused(self, key: str, status: int, reason: str) -> None:
        """It is not to be had."""
        if not self.done.done():
            self.done.set_exception(RefusedError(status, reason))

    def failed(self, key: str, reason: str) -> None:
        """It broke off."""
        self.refused(key, 503, reason)
