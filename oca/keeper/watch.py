"""Looking after the disks: who went away, who came back, and whether more lies on one than it may hold."""

from __future__ import annotations

import math
from collections.abc import Callable

from control.kit.clock import Clock
from control.kit.errors import StorageError
from control.kit.logs import get_logger
from control.kit.metrics import Meter
from control.wire import DiskState
from oca.keeper.purges import Purges
from oca.keeper.stowage import Stowage
from oca.store.disk import Disk
from oca.store.shelves import Shelves

STATES: tuple[DiskState, ...] = ("ok", "full", "readonly", "failed", "missing")


FIRST_PAUSE_S = 4.0
LONGEST_PAUSE_S = 600.0
STEADY_S = 3600.0
"""A disk that failed again within this time is tried half as often."""


class _Tries:
    """When a failed disk is tried again."""

    def __init__(self) -> None:
        self._pause_s = FIRST_PAUSE_S
        self._last = -math.inf

    def due(self, now: float) -> bool:
        """Whether to try at `now`; if so it counts as tried."""
        if now < self._last + self._pause_s:
            return False
        self._pause_s = FIRST_PAUSE_S if now > self._last + STEADY_S else min(LONGEST_PAUSE_S, 2 * self._pause_s)
        self._last = now
        return True


class DiskWatch:
    """One round looks at every disk. A disk that cannot be read is given up, and tried again each round."""

    def __init__(
        self,
        shelves: Shelves,
        stowage: Stowage,
        purges: Purges,
        *,
        changed: Callable[[], None],
        clock: Clock,
        meter: Meter,
    ) -> None:
        self._shelves = shelves
        self._stowage = stowage
        self._purges = purges
        self._changed = changed
        self._meter = meter
        self._serving: set[str] = set()
        self._refusals: dict[str, str] = {}
        self._tries: dict[str, _Tries] = {}
        self._clock = clock
        self._log = get_logger()

    def begin(self) -> None:
        """The disks have been opened: workers that come are welcomed with these."""
        self._serving = {disk.id for disk in self._shelves.usable}

    async def round(self) -> None:
        """Look at every disk, once."""
        for disk in self._shelves.disks.values():
            await disk.check()
            if not disk.usable:
                await self._bring_back(disk)
        self._tell()
        await self._stowage.keep_below_capacity()
        self._measure()

    async def _bring_back(self, disk: Disk) -> None:
        """Let the lost disk go, then try to take it anew: at once, and less and less often when it fails again."""
        now = self._clock.monotonic()
        if disk.open_now:
            self._shelves.release(disk)
            self._stowage.retrack()
            await disk.close()
        tries = self._tries.setdefault(disk.id, _Tries())
        if disk.state == "failed" and not tries.due(now):
            return
        try:
            await self._shelves.take(disk)
        except StorageError as error:
            if self._refusals.get(disk.id) != str(error):
                self._log.error("disk_refused", disk=disk.id, error=str(error))
                self._refusals[disk.id] = str(error)
            return
        self._refusals.pop(disk.id, None)
        await self._purges.resume(disk.id)
        self._stowage.retrack()

    def _tell(self) -> None:
        """Tell the workers when the disks they should look in are others than before."""
        serving = {disk.id for disk in self._shelves.usable}
        if serving != self._serving:
            self._serving = serving
            self._changed()

    def _measure(self) -> None:
        for disk in self._shelves.disks.values():
            for state in STATES:
                self._meter.set("oca_disk_state", float(disk.state == state), disk=disk.id, state=state)
            self._meter.set("oca_disk_used_bytes", disk.used_bytes, disk=disk.id)
            self._meter.set("oca_disk_capacity_bytes", disk.capacity_bytes, disk=disk.id)
        self._meter.set("oca_store_renditions", len(self._shelves.books))
