"""The front workers that are connected, and saying something to one or to all of them.

What is said to a worker waits in a buffer with a limit; a worker that does not read is cut off, so that no
worker can make the keeper grow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence

from control.kit.metrics import Meter
from oca.link import messages as link

UNSENT_LIMIT_BYTES = 8 * 1024 * 1024
FLUSH_LIMIT_S = 5.0


class WorkerLink:
    """One connected worker. A `flight.Listener`: what a flight tells it goes over the link."""

    def __init__(self, writer: asyncio.StreamWriter, hello: link.Hello) -> None:
        self.worker = hello.worker
        self.pid = hello.pid
        self.connections = 0
        self.wants: set[asyncio.Task[None]] = set()
        self.broken = False
        self._writer = writer

    def __repr__(self) -> str:
        return f"<WorkerLink {self.worker} pid {self.pid}, {self.connections} connections>"

    def say(self, message: link.Message) -> None:
        """Send `message`, or cut a worker that has stopped reading."""
        if self.broken:
            return
        self._writer.write(link.frame(message))
        if self._writer.transport.get_write_buffer_size() > UNSENT_LIMIT_BYTES:
            self.cut()

    def cut(self) -> None:
        """End the connection now; what is unsent is lost."""
        self.broken = True
        self._writer.transport.abort()

    async def flushed(self) -> None:
        """Return when everything said was handed to the kernel. A worker that takes too long is cut."""
        try:
            async with asyncio.timeout(FLUSH_LIMIT_S):
                await self._writer.drain()
        except TimeoutError:
            self.cut()
        except ConnectionError:
            self.broken = True

    # What a flight tells

    def growing(self, key: str, path: str, length: int, available: int) -> None:
        """The object arrives at `path`."""
        self.say(link.Growing(key, path, length, available))

    def grown(self, key: str, available: int) -> None:
        """More of it may be sent."""
        self.say(link.Grown(key, available))

    def stored(self, key: str, path: str) -> None:
        """It is whole."""
        self.say(link.Stored(key, path))

    def refused(self, key: str, status: int, reason: str) -> None:
        """It cannot be had."""
        self.say(link.Refused(key, status, reason[:1000]))

    def failed(self, key: str, reason: str) -> None:
        """It broke off."""
        self.say(link.Failed(key, reason[:1000]))


class Workers:
    """Every connected worker. Satisfies `stowage.Announcer`. Lifetime of the process."""

    def __init__(self, disks: Callable[[], Sequence[str]], meter: Meter) -> None:
        self.all_left = asyncio.Event()
        self._disks = disks
        self._meter = meter
        self._links: set[WorkerLink] = set()

    def __repr__(self) -> str:
        return f"<Workers: {len(self._links)} connected>"

    def __len__(self) -> int:
        return len(self._links)

    def __iter__(self) -> Iterator[WorkerLink]:
        return iter(sorted(self._links, key=lambda link: (link.worker, link.pid)))

    @property
    def present(self) -> int:
        """How many of the configured workers are there; one that is being replaced counts once."""
        return len({link.worker for link in self._links})

    def welcome(self, worker: WorkerLink) -> None:
        """`worker` has come: tell it where to look."""
        self._links.add(worker)
        self.all_left.clear()
        worker.say(link.Welcome(tuple(self._disks())))

    def farewell(self, worker: WorkerLink) -> None:
        """`worker` has left."""
        if worker.broken:
            self._meter.inc("oca_workers_cut_total")
        worker.broken = True
        self._links.discard(worker)
        if not self._links:
            self.all_left.set()

    def gone(self, prefix: str) -> None:
        """Everything below `prefix` (or exactly it) is gone."""
        self._say_all(link.Gone(prefix))

    def disks_changed(self) -> None:
        """A disk came or went."""
        self._say_all(link.Disks(tuple(self._disks())))

    async def flushed(self) -> None:
        """Return when every worker was sent what was said so far, or was cut."""
        await asyncio.gather(*(worker.flushed() for worker in self))

    def _say_all(self, message: link.Message) -> None:
        for worker in self:
            worker.say(message)
