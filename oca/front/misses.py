"""What this worker waits for: the link to the keeper, and the connections behind each absent object.

One `Want` per key however many clients ask. Nothing here touches a disk beyond opening what the keeper
names. When the keeper is away, what is on the disks is served on; what is not waits a moment for the
keeper to come back (it is restarted, or upgraded) and then gets a 503.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from control.kit.logs import get_logger
from oca.front.loop import BROKEN, Loop
from oca.front.request import Request
from oca.front.table import PREFIX, Entry, Table
from oca.link import messages as link

if TYPE_CHECKING:
    from oca.front.connection import Connection

OUTGOING_LIMIT_BYTES = 8 * 1024 * 1024
AWAY = "not held here, and the keeper is away"
RECONNECT_S = 0.2


class Misses:
    """The worker's end of the link. `prepare` renders an entry's heads anew."""

    def __init__(
        self,
        loop: Loop,
        table: Table,
        socket_path: str,
        *,
        worker: int,
        prepare: Callable[[Entry], None],
        waiting_limit: int,
        grace_s: float,
    ) -> None:
        self._loop = loop
        self._table = table
        self._path = socket_path
        self._worker = worker
        self._prepare = prepare
        self._waiting_limit = waiting_limit
        self._grace_s = grace_s
        self._away_since = loop.now
        self._waiting = 0
        self._sock: socket.socket | None = None
        self._deframer = link.Deframer()
        self._outgoing = b""
        self._next_try = 0.0
        self._wanted: dict[str, list[tuple[Connection, Request]]] = {}
        self._growing: dict[str, Entry] = {}
        self._parked: dict[str, list[Connection]] = {}
        self._log = get_logger(worker=worker)

    def __repr__(self) -> str:
        state = "linked" if self._sock else "no keeper"
        return f"<Misses {state}, {len(self._wanted)} wanted, {len(self._growing)} growing>"

    @property
    def linked(self) -> bool:
        """Whether the keeper is there."""
        return self._sock is not None

    # -- from connections ---------------------------------------------------------------------------

    def want(self, key: str, connection: Connection, request: Request, via: tuple[str, ...]) -> None:
        """Answer `request` when the keeper has got `key`, or says why not."""
        if self._sock is None and self._loop.now - self._away_since >= self._grace_s:
            connection.refuse(request, 503, AWAY, extra=b"Retry-After: 1\r\n")
            return
        if self._waiting >= self._waiting_limit:
            connection.refuse(
                request, 503, "too many requests wait for objects that are not here", extra=b"Retry-After: 1\r\n"
            )
            return
        connection.waiting = request
        self._waiting += 1
        waiters = self._wanted.get(key)
        if waiters is not None:
            waiters.append((connection, request))
            return
        self._wanted[key] = [(connection, request)]
        if self._sock is not None:
            self._say(link.Want(key, via))

    def prefetch(self, key: str) -> None:
        """Ask for `key` though nobody waits yet: a player said that it comes next. Forgotten when much is wanted."""
        if self._sock is not None and key not in self._wanted and len(self._wanted) < self._waiting_limit // 4:
            self._wanted[key] = []
            self._say(link.Want(key))

    def wait_for_more(self, entry: Entry, connection: Connection) -> None:
        """Run `connection` again when more of `entry` may be sent; cut it when no more will come."""
        if entry.failed or entry.key not in self._growing:
            connection.close(aborted=True)
            return
        self._parked.setdefault(entry.key, []).append(connection)

    def report(self, served: link.Served) -> bool:
        """Tell the keeper what was served. False when it is away: the caller keeps its rows."""
        if self._sock is None:
            return False
        self._say(served)
        return True

    # -- the link -----------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Connect when there is no link and it is time to try."""
        if self._sock is None and now >= self._next_try:
            self._next_try = now + RECONNECT_S
            self._connect()
        if self._sock is None and now - self._away_since >= self._grace_s:
            for key in list(self._wanted):
                self._refused(link.Refused(key, 503, AWAY))

    def on_events(self, events: int) -> None:
        """Epoll's word on the link."""
        if self._sock is None:
            return
        if self._outgoing:
            self._flush()
        while self._sock is not None:
            try:
                data = self._sock.recv(65536)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self._lost()
                return
            for message in self._deframer.feed(data):
                self._hear(message)
        if events & BROKEN:
            self._lost()

    def close(self) -> None:
        """Leave the keeper."""
        if self._sock is not None:
            self._loop.remove(self._sock.fileno())
            self._sock.close()
            self._sock = None

    def _connect(self) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            sock.connect(self._path)
        except OSError:
            sock.close()
            return
        self._sock = sock
        self._deframer = link.Deframer()
        self._outgoing = b""
        self._loop.add(sock.fileno(), self)
        self._say(link.Hello(self._worker, os.getpid()))
        for key in self._wanted:
            self._say(link.Want(key))

    def _say(self, message: link.Message) -> None:
        self._outgoing += link.frame(message)
        self._flush()

    def _flush(self) -> None:
        if self._sock is None:
            return
        try:
            sent = self._sock.send(self._outgoing)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._loop.again(self._lost)
            return
        self._outgoing = self._outgoing[sent:]
        if len(self._outgoing) > OUTGOING_LIMIT_BYTES:
            self._log.warning("keeper_stuck", unsent_bytes=len(self._outgoing))
            self._loop.again(self._lost)

    def _lost(self) -> None:
        """The keeper is gone: what was arriving will not go on; what was wanted is asked for again."""
        if self._sock is None:
            return
        self.close()
        self._away_since = self._loop.now
        self._log.warning("keeper_lost", wanted=len(self._wanted), growing=len(self._growing))
        for key in list(self._growing):
            self._failed(key)

    # -- what the keeper says -----------------------------------------------------------------------

    def _hear(self, message: link.Message) -> None:
        match message:
            case link.Growing():
                self._started(message)
            case link.Grown():
                self._grown(message.key, message.available)
            case link.Stored():
                self._stored(message)
            case link.Refused():
                self._refused(message)
            case link.Failed():
                self._failed(message.key)
            case link.Gone():
                self._table.forget(message.prefix)
            case link.Welcome() | link.Disks():
                # While there was no link, orders to forget may have been missed.
                self._table.disks = message.disks
                self._table.forget("")
                self._log.info("keeper_linked", disks=len(message.disks))
            case _:
                raise AssertionError(f"the keeper does not say {type(message).__name__}")

    def _take_waiters(self, key: str) -> list[tuple[Connection, Request]]:
        waiters = self._wanted.pop(key, [])
        self._waiting -= len(waiters)
        live = [(connection, request) for connection, request in waiters if connection.waiting is request]
        for connection, _ in live:
            connection.waiting = None
        return live

    def _started(self, message: link.Growing) -> None:
        entry = self._table.grow(message.key, message.path, size=message.length, available=message.available)
        if entry is None:
            # A small object may have its real name before this worker heard of the temporary one.
            entry = self._table.look_up((PREFIX + message.key).encode(), message.key)
        if entry is None:
            self._refused(link.Refused(message.key, 503, "the object arrived where this worker cannot read"))
            return
        if not entry.whole:
            self._growing[message.key] = entry
        self._serve_waiters(message.key, entry)

    def _serve_waiters(self, key: str, entry: Entry) -> None:
        for connection, request in self._take_waiters(key):
            connection.serve(request, entry, fetched=True)
            connection.run()

    def _grown(self, key: str, available: int) -> None:
        entry = self._growing.get(key)
        if entry is not None:
            assert entry.available <= available <= entry.size, f"{entry!r} cannot have {available} bytes available"
            entry.available = available
            self._unpark(key)

    def _stored(self, message: link.Stored) -> None:
        entry = self._growing.pop(message.key, None)
        if entry is not None:
            entry.available = entry.size
            self._prepare(entry)
            self._unpark(message.key)
        if message.key in self._wanted:
            found = self._table.look_up((PREFIX + message.key).encode(), message.key)
            if found is None:
                self._refused(link.Refused(message.key, 503, "the object was stored and is already gone"))
            else:
                self._serve_waiters(message.key, found)

    def _unpark(self, key: str) -> None:
        for connection in self._parked.pop(key, ()):
            if not connection.closed:
                connection.unpark()

    def _refused(self, message: link.Refused) -> None:
        extra = b"Retry-After: 1\r\n" if message.status == 503 else b""
        for connection, request in self._take_waiters(message.key):
            connection.refuse(request, message.status, message.reason, extra=extra)
            connection.run()

    def _failed(self, key: str) -> None:
        entry = self._growing.pop(key, None)
        if entry is not None:
            entry.failed = True
            self._table.forget(key)
        for connection in self._parked.pop(key, ()):
            connection.close(aborted=True)
        self._refused(link.Refused(key, 502, "the sources broke off"))
