"""Cold bytes into memory, by threads, so that the loop never waits for a disk.

The loop asks `is_warm` before it gives bytes to sendfile; for what is cold it calls `warm`, and goes on
with other clients until the thread has read the slice. Reading also asks the kernel for the rest of the
object and for the rendition's next one. What was cold and stays without a second viewer is dropped from
memory again, so that one-hit wonders do not push out the hot set.
"""

from __future__ import annotations

import os
import queue
import re
import threading
from collections import deque
from collections.abc import Callable

from control.kit.logs import get_logger
from oca.front.loop import Loop
from oca.front.residency import Residency
from oca.front.table import Entry

SLICE_BYTES = 1 << 20
QUEUE_LIMIT = 4096
RECHECK_S = 1.0
"""A whole entry found in memory is believed to be there for this long."""
WONDER_S = 20.0
"""A cold object that no second viewer asked for in this time is dropped from memory."""
_NUMBERED = re.compile(r"^(.*/)(\d+)(\.[A-Za-z0-9]+)$")

Done = Callable[[int], None]
"""Told on the loop's thread up to which byte is in memory; -1 when it cannot be read."""


class Warming:
    """The worker's warm-up threads."""

    def __init__(self, loop: Loop, *, threads: int, find: Callable[[str], Entry | None]) -> None:
        self._loop = loop
        self._residency = Residency()
        self._find = find
        self._jobs: queue.SimpleQueue[tuple[Entry, int, int, Done] | None] = queue.SimpleQueue()
        self._wonders: deque[tuple[float, Entry]] = deque()
        self.cold_slices = 0
        self.dropped = 0
        self._log = get_logger()
        self._threads = [threading.Thread(target=self._work, name=f"warm-{n}", daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def __repr__(self) -> str:
        return f"<Warming {self._jobs.qsize()} waiting, {len(self._wonders)} on probation>"

    def is_warm(self, entry: Entry, first: int, end: int) -> bool:
        """Whether sendfile of [first, end) will not wait for a disk."""
        now = self._loop.now
        if entry.warm_until > now or not entry.whole:
            return True
        if self._residency.resident(entry.fd, 0, entry.size):
            entry.warm_until = now + RECHECK_S
            return True
        return self._residency.resident(entry.fd, first, end)

    def warm(self, entry: Entry, first: int, end: int, done: Done) -> None:
        """Read the beginning of [first, end) of `entry` in a thread, then call `done` on the loop's thread."""
        self.cold_slices += 1
        if self._jobs.qsize() >= QUEUE_LIMIT:
            done(-1)
            return
        self._jobs.put((entry, first, end, done))
        if first == 0:
            self._wonders.append((self._loop.now + WONDER_S, entry))
            self._read_ahead(entry)

    def tick(self, now: float) -> None:
        """Drop the one-hit wonders whose time is up."""
        while self._wonders and self._wonders[0][0] <= now:
            _, entry = self._wonders.popleft()
            if entry.served + entry.requests <= 1:
                self.dropped += 1
                os.posix_fadvise(entry.fd, 0, 0, os.POSIX_FADV_DONTNEED)

    def close(self) -> None:
        """End the threads."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(timeout=1.0)

    def _read_ahead(self, entry: Entry) -> None:
        match = _NUMBERED.match(entry.key)
        if match is None:
            return
        folder, number, suffix = match.groups()
        following = self._find(f"{folder}{int(number) + 1:0{len(number)}d}{suffix}")
        if following is not None:
            os.posix_fadvise(following.fd, 0, 0, os.POSIX_FADV_WILLNEED)

    def _work(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        while (job := self._jobs.get()) is not None:
            entry, first, end, done = job
            warm_end = _read(entry, first, min(end, first + SLICE_BYTES), nowhere)
            if warm_end < 0:
                self._log.error("read_failed", key=entry.key)
            elif warm_end < end:
                os.posix_fadvise(entry.fd, warm_end, end - warm_end, os.POSIX_FADV_WILLNEED)
            self._loop.post(_call(done, warm_end))
        os.close(nowhere)


def _read(entry: Entry, first: int, end: int, nowhere: int) -> int:
    """Bring [first, end) into memory by sending it to /dev/null, which copies nothing; the position reached, or -1."""
    position = first
    try:
        while position < end:
            count = os.sendfile(nowhere, entry.fd, position, end - position)
            if count == 0:
                return -1
            position += count
    except OSError:
        return -1
    return position


def _call(done: Done, warm_end: int) -> Callable[[], None]:
    return lambda: done(warm_end)
