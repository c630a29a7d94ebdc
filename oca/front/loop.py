"""A worker's event loop: edge-triggered epoll, a run queue, coarse timers, wake-ups from threads.

asyncio is not here on purpose. A worker has one kind of work, and registering each socket once for
both directions, edge-triggered, saves the system calls that a level-triggered loop spends on asking
for and dropping writability around every large response (DECISIONS.md, 1 and 19).

Rules: a handler never blocks and never runs longer than its quantum; what wants to go on asks for
another turn with `again`. Time is `now`, read once per round.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
from collections import deque
from collections.abc import Callable
from typing import Protocol

EDGE_BOTH = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
EDGE_IN = select.EPOLLIN | select.EPOLLET
READABLE = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
WRITABLE = select.EPOLLOUT
BROKEN = select.EPOLLHUP | select.EPOLLERR
ROUND_EVENTS = 256
TICK_S = 0.5


class Handler(Protocol):
    """What a descriptor's events go to."""

    def on_events(self, events: int) -> None:
        """Act on epoll's `events` until nothing more can be done or the quantum is used up."""


class Loop:
    """One thread's loop. `monotonic` is the clock, in seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self.now = monotonic()
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self._runnable: deque[Callable[[], None]] = deque()
        self._ticks: list[Callable[[float], None]] = []
        self._next_tick = self.now + TICK_S
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self._posted: deque[Callable[[], None]] = deque()
        self._stopped = False
        self.add(self._wake_read.fileno(), _Wake(self), EDGE_IN)

    def __repr__(self) -> str:
        return f"<Loop {len(self._handlers)} descriptors, {len(self._runnable)} runnable>"

    def add(self, fd: int, handler: Handler, interest: int = EDGE_BOTH) -> None:
        """Watch `fd` until `remove`. Edge-triggered: an event is told once."""
        self._handlers[fd] = handler
        self._epoll.register(fd, interest)

    def remove(self, fd: int) -> None:
        """Stop watching. To be called before the descriptor is closed."""
        if self._handlers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def again(self, work: Callable[[], None]) -> None:
        """Give `work` another turn after everything else that is ready had one."""
        self._runnable.append(work)

    def every_tick(self, work: Callable[[float], None]) -> None:
        """Call `work(now)` about every half second."""
        self._ticks.append(work)

    def post(self, work: Callable[[], None]) -> None:
        """Run `work` on the loop's thread. The one method that other threads and signals may call."""
        self._posted.append(work)
        with contextlib.suppress(OSError):  # then a wake-up is already pending, or the loop has ended
            self._wake_write.send(b"\0")

    def stop(self) -> None:
        """End `run` after the present round."""
        self._stopped = True

    def run(self) -> None:
        """Serve until `stop`."""
        handlers, poll, monotonic, runnable = self._handlers, self._epoll.poll, self._monotonic, self._runnable
        while not self._stopped:
            timeout = 0.0 if runnable else max(0.0, self._next_tick - self.now)
            events = poll(timeout, ROUND_EVENTS)
            self.now = monotonic()
            for fd, mask in events:
                handler = handlers.get(fd)
                if handler is not None:
                    handler.on_events(mask)
            for _ in range(len(runnable)):
                runnable.popleft()()
            if self.now >= self._next_tick:
                self._tick()

    def close(self) -> None:
        """Close the loop's own descriptors."""
        self._epoll.close()
        self._wake_read.close()
        self._wake_write.close()

    def _tick(self) -> None:
        self._next_tick = self.now + TICK_S
        for work in self._ticks:
            work(self.now)

    def _run_posted(self) -> None:
        while self._posted:
            self._posted.popleft()()


class _Wake:
    """Drains the wake-up socket and runs what was posted."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def on_events(self, events: int) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self._loop._wake_read.fileno(), 4096):
                pass
        self._loop._run_posted()


class Deadlines:
    """Something to be done for members whose deadline passed.

    A member moves its own `deadline` freely, forward or back; each is looked at every `check_s`. So a
    deadline costs one attribute to move, however many members there are.
    """

    def __init__(self, now: float, check_s: float) -> None:
        self._check_s = check_s
        self._due: deque[tuple[float, Expiring]] = deque()
        self._now = now

    def __len__(self) -> int:
        return len(self._due)

    def file(self, member: Expiring) -> None:
        """Watch `member`, whose `deadline` is set."""
        self._due.append((self._now + self._check_s, member))

    def expired(self, now: float) -> list[Expiring]:
        """Members whose deadline has passed; they are watched on until they are closed."""
        self._now = now
        late: list[Expiring] = []
        due = self._due
        while due and due[0][0] <= now:
            _, member = due.popleft()
            if member.closed:
                continue
            due.append((now + self._check_s, member))
            if member.deadline <= now:
                late.append(member)
        return late


class Expiring(Protocol):
    """A member of Deadlines. `closed` members are forgotten."""

    deadline: float
    closed: bool
