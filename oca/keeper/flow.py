"""A miss, from the worker's `Want` to a flight: the steps in order, each refusing in words.

Here nothing is fetched or written; the rooms beside this one do that.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from control.kit.clock import Clock
from control.kit.metrics import Meter
from control.wire import Source
from oca.filler.filler import Filler
from oca.filler.plans import PlanBook
from oca.keeper.stowage import Stowage
from oca.link.messages import Want
from oca.store.faults import DiskError, NoRoomError
from oca.store.layout import INDEX, ObjectKey, RenditionKey, parse_key
from oca.upstream.faults import RefusedError
from oca.upstream.flight import Listener
from oca.upstream.flights import Flights
from oca.upstream.index import Indexes
from oca.upstream.known import KnownIndex
from oca.upstream.ladder import ladder


class MissFlow:
    """What the keeper does about objects that no worker finds on a disk."""

    def __init__(
        self,
        *,
        me: str,
        origin: Source,
        plans: PlanBook,
        stowage: Stowage,
        indexes: Indexes,
        flights: Flights,
        filler: Filler,
        clock: Clock,
        meter: Meter,
    ) -> None:
        self._me = me
        self._origin = origin
        self._plans = plans
        self._stowage = stowage
        self._indexes = indexes
        self._flights = flights
        self._filler = filler
        self._clock = clock
        self._meter = meter

    async def want(self, listener: Listener, want: Want) -> None:
        """Let `listener` join the flight of an object, or tell it why not. Answers exactly once."""
        try:
            key = parse_key(want.key)
        except ValueError as error:
            self._refuse(listener, want.key, RefusedError(404, str(error)))
            return
        try:
            outcome = await self._join(listener, key, want.via)
        except RefusedError as refusal:
            self._refuse(listener, want.key, refusal)
        except (DiskError, NoRoomError) as error:
            self._refuse(listener, want.key, RefusedError(503, str(error)))
        else:
            self._meter.inc("oca_miss_wants_total", outcome=outcome)

    async def _join(self, listener: Listener, key: ObjectKey, via: Sequence[str]) -> str:
        if self._me in via:
            raise RefusedError(508, f"the request has been at {self._me} before: {', '.join(via)}")
        await self._stowage.settled(key.of)
        sources = self._sources(key.of, via)
        hold = self._plans.hold(key.of)
        index = await self._indexes.get(key.of, sources, via=via, xxh3=hold.index_xxh3 if hold else None)
        if key.object == INDEX:
            return await self._give_index(listener, key, index)
        position = index.position(key.object)
        if position is None:
            raise RefusedError(404, f"{key.of} has no object {key.object}")
        if await self._held(listener, key, index, position):
            return "held"
        # A peer that fills from us is served at the fill's rate; a viewer is not kept waiting.
        planned = bool(via) and hold is not None
        self._flights.join(
            listener,
            index,
            position,
            sources=sources,
            via=via,
            pace=self._filler.pace if planned else None,
            account=self._filler.received if planned else None,
        )
        return "joined"

    def _sources(self, key: RenditionKey, via: Sequence[str]) -> list[Source]:
        return ladder(self._plans.sources(key), self._origin, now=self._clock.now(), me=self._me, via=via, urgent=True)

    async def _held(self, listener: Listener, key: ObjectKey, index: KnownIndex, position: int) -> bool:
        """Whether the object is on a disk after all: it arrived while the worker asked."""
        path = self._stowage.shelves.holds(key, position)
        if path is None:
            return False
        entry = self._stowage.shelves.books.get(key.of)
        disk_id = entry.where(position) if entry is not None else None
        if entry is None or disk_id is None or entry.index_xxh3 != index.xxh3:
            return False
        size = index.at(position).bytes
        try:
            found = await self._stowage.shelves.disks[disk_id].run(lambda: os.stat(path).st_size == size)
        except DiskError:
            found = False
        if not found:
            self._stowage.shelves.lost(key, disk_id, position, size)
            return False
        listener.growing(str(key), str(path), size, size)
        listener.stored(str(key), str(path))
        return True

    async def _give_index(self, listener: Listener, key: ObjectKey, index: KnownIndex) -> str:
        path = await self._stowage.put_index(index)
        listener.growing(str(key), str(path), len(index.data), len(index.data))
        listener.stored(str(key), str(path))
        return "index"

    def _refuse(self, listener: Listener, key: str, refusal: RefusedError) -> None:
        self._meter.inc("oca_miss_wants_total", outcome=f"refused_{refusal.status}")
        listener.refused(key, refusal.status, refusal.reason)
