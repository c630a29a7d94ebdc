"""Orders to forget: kept until carried out on every disk.

A receipt is given when no worker and no disk has the bytes any more. An order that came before gets the
receipt that it got then.
"""

from __future__ import annotations

from control.kit.clock import Clock
from control.kit.logs import get_logger
from control.wire import PurgeOrder, Receipt, decode, encode
from oca.keeper.stowage import Stowage
from oca.store.faults import DiskError
from oca.store.layout import RenditionKey
from oca.store.shelves import Shelves
from oca.upstream.faults import RefusedError
from oca.upstream.flights import Flights
from oca.upstream.index import Indexes

ORDERS_KEPT = 10_000
"""Orders that are done are remembered up to this many, to answer repeats."""


class Purges:
    """Carries orders out. Lifetime of the process; what is open lies in the ledger."""

    def __init__(
        self, shelves: Shelves, stowage: Stowage, flights: Flights, indexes: Indexes, *, me: str, clock: Clock
    ) -> None:
        self._shelves = shelves
        self._stowage = stowage
        self._flights = flights
        self._indexes = indexes
        self._me = me
        self._clock = clock
        self._log = get_logger()

    async def carry_out(self, order: PurgeOrder) -> Receipt:
        """Do what `order` says, durably. A receipt `failed` means: kept, and done as soon as the disk allows."""
        known = self._shelves.ledger.order(order.id)
        if known is not None and known[1] is not None and not known[2]:
            return decode(known[1], Receipt)
        disks = ",".join(self._shelves.disks)
        await self._shelves.ledger.keep_order(order.id, order.at, encode(order), None, disks)
        return await self._try(order, list(self._shelves.disks))

    async def resume(self, disk_id: str | None = None) -> None:
        """Carry out what is still open: at start everything, or what is open for a disk that came back."""
        for body, disks in self._shelves.ledger.open_orders():
            waiting = disks.split(",") if disks else []
            if disk_id is None or disk_id in waiting:
                await self._try(decode(body, PurgeOrder), waiting)

    async def _try(self, order: PurgeOrder, waiting: list[str]) -> Receipt:
        objects = size = 0
        words: list[str] = []
        left = [disk for disk in waiting if disk in self._shelves.disks and not self._shelves.disks[disk].usable]
        for disk_id in [disk for disk in waiting if disk in self._shelves.disks and disk not in left]:
            try:
                found, freed = await self._purge(order, disk_id)
                objects, size = objects + found, size + freed
            except (DiskError, RefusedError) as error:
                left.append(disk_id)
                words.append(str(error))
        words += [f"disk {disk} is {self._shelves.disks[disk].state}" for disk in left if not words]
        receipt = Receipt(
            order=order.id,
            appliance=self._me,
            at=self._clock.now(),
            state="failed" if left else "done",
            objects=objects,
            bytes=size,
            error=("; ".join(words) + "; the order is kept")[:4096] if left else "",
        )
        await self._shelves.flush()
        ledger = self._shelves.ledger
        await ledger.keep_order(order.id, order.at, encode(order), None if left else encode(receipt), ",".join(left))
        await ledger.forget_orders(ORDERS_KEPT)
        self._log.info("purged", order=order.id, title=order.title, state=receipt.state, objects=objects, bytes=size)
        return receipt

    async def _purge(self, order: PurgeOrder, disk_id: str) -> tuple[int, int]:
        """Objects and bytes removed from one disk."""
        if order.rendition is not None and order.object is not None:
            return await self._purge_object(RenditionKey(order.title, order.rendition), order.object)
        objects = size = 0
        for entry in self._shelves.books.of_title(order.title):
            if order.rendition in (None, entry.key.rendition):
                await self._flights.drop(entry.key)
                part = entry.parts.get(disk_id)
                objects += part.objects if part is not None else 0
                size += await self._stowage.remove(entry.key, reason="purge", disk_id=disk_id)
        return objects, size

    async def _purge_object(self, key: RenditionKey, name: str) -> tuple[int, int]:
        await self._flights.drop(key, name)
        if self._shelves.books.get(key) is None:
            return 0, 0
        index = await self._indexes.get(key, ())
        position = index.position(name)
        if position is None:
            return 0, 0
        freed = await self._stowage.remove_object(key.object(name), position, index.at(position).bytes)
        return int(freed > 0), freed
