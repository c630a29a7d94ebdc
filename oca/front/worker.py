"""A front worker: who gets which instance, accepting, timeouts, drain. In call order."""

from __future__ import annotations

import errno
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from control.kit.clock import Clock
from control.kit.logs import get_logger
from oca.front import reply
from oca.front.access_log import AccessLog
from oca.front.certificates import Certificates
from oca.front.connection import Connection
from oca.front.counters import Counters
from oca.front.lingering import Lingering
from oca.front.loop import Deadlines, Loop
from oca.front.manners import Manners
from oca.front.misses import Misses
from oca.front.pacing import PacingSettings
from oca.front.reply import Seconds
from oca.front.request import Request
from oca.front.routes import route
from oca.front.table import PREFIX, Entry, Table
from oca.front.tls_connection import TlsConnection, wrapped
from oca.front.warming import Warming
from oca.link import messages as link

ACCEPTS_PER_ROUND = 64
ACCEPT_EVENTS = 1  # EPOLLIN, level-triggered: what one round leaves is told again
REPORT_S = 1.0
OUT_OF_ROOM = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
"""Accepting is tried again at the next tick, not in a loop that does nothing else."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what clients can make grow. Times in seconds, sizes in bytes."""

    connections: int = 20_000
    connections_per_prefix: int = 20_000
    requests_per_connection: int = 1_000_000
    header_bytes: int = 16_384
    header_fields: int = 64
    header_timeout_s: float = 10.0
    idle_timeout_s: float = 60.0
    send_timeout_s: float = 30.0
    min_send_bytes_per_s: int = 1_000
    send_quantum_bytes: int = 1_048_576
    open_files: int = 8_192
    waiting: int = 10_000
    miss_timeout_s: float = 30.0
    drain_idle_s: float = 2.0
    keeper_grace_s: float = 3.0
    warm_threads: int = 4


class Worker:
    """One process of the front. Everything that connections share."""

    def __init__(
        self,
        *,
        appliance: str,
        index: int,
        listener: socket.socket,
        disks: tuple[str, ...],
        keeper_socket: str,
        limits: Limits,
        clock: Clock,
        access_log: AccessLog | None = None,
        tls_listener: socket.socket | None = None,
        certificates: Certificates | None = None,
        redirect_port: int | None = None,
        manners: Manners | None = None,
    ) -> None:
        self.appliance = appliance
        self.limits = limits
        self.loop = Loop(clock.monotonic)
        self.seconds = Seconds(clock.now())
        self.counters = Counters()
        self.draining = False
        self.table = Table(disks, limits.open_files, self._prepare)
        self.misses = Misses(
            self.loop,
            self.table,
            keeper_socket,
            worker=index,
            prepare=self._prepare,
            waiting_limit=limits.waiting,
            grace_s=limits.keeper_grace_s,
        )
        self.access_log = access_log
        self.warming = Warming(self.loop, threads=limits.warm_threads, find=self._find)
        self.is_warm = self.warming.is_warm
        self._clock = clock
        self.certificates = certificates
        self.redirect_port = redirect_port
        self.manners = manners or Manners(None, PacingSettings(), appliance=appliance, now=clock.now)
        self._listeners: list[socket.socket] = [listener]
        if tls_listener is not None:
            assert certificates is not None, "a TLS listener without certificates"
            self._listeners.append(tls_listener)
        self._connections: set[Connection] = set()
        self._lingering: set[Lingering] = set()
        self._resting: list[tuple[socket.socket, bool]] = []
        self._by_prefix: Counter[str] = Counter()
        shortest = min(limits.header_timeout_s, limits.idle_timeout_s, limits.send_timeout_s, limits.miss_timeout_s)
        self._deadlines = Deadlines(self.loop.now, min(max(shortest / 2, 0.05), 5.0))
        self._next_report = self.loop.now + REPORT_S
        self._drained: Callable[[], None] | None = None
        self._drain_idle_at = 0.0
        self._log = get_logger(worker=index)

    def __repr__(self) -> str:
        return f"<Worker of {self.appliance}: {len(self._connections)} connections, {self.table!r}>"

    def run(self) -> None:
        """Serve until drained or stopped."""
        for listener, tls in zip(self._listeners, (False, True), strict=False):
            self.loop.add(listener.fileno(), _Accepts(self, listener, tls=tls), ACCEPT_EVENTS)
        self.loop.every_tick(self._tick)
        self.misses.tick(self.loop.now)
        self._log.info("worker_ready")
        try:
            self.loop.run()
        finally:
            self._close()

    def drain(self) -> None:
        """Accept no more; finish what is in flight; then `run` returns. Safe to call from a signal handler."""
        self.loop.post(lambda: self._drain(self.limits.drain_idle_s))

    def retire(self) -> None:
        """Drain in favour of a successor on the same socket: idle clients may take their time. As `drain`, safe."""
        self.loop.post(lambda: self._drain(self.limits.idle_timeout_s))

    def stop(self) -> None:
        """End `run` at once."""
        self.loop.post(self.loop.stop)

    # -- for connections ----------------------------------------------------------------------------

    def route(self, connection: Connection, request: Request) -> None:
        """Start the answer to `request`."""
        route(self, connection, request)
        if connection.waiting is not None:
            connection.deadline = self.loop.now + self.limits.miss_timeout_s

    def prefetch(self, key: str) -> None:
        """A player announced `key` as its next object."""
        if self._find(key) is None:
            self.misses.prefetch(key)
            self.counters.hinted += 1

    @property
    def overloaded(self) -> bool:
        """Whether players had better go elsewhere."""
        return self.draining or len(self._connections) >= 0.95 * self.limits.connections

    def head_pending(self, connection: Connection) -> None:
        """Part of a head has arrived: the rest must come in time."""
        deadline = self.loop.now + self.limits.header_timeout_s
        if not connection.head_started:
            connection.head_started = True
            connection.deadline = deadline

    def forget(self, connection: Connection, *, aborted: bool) -> None:
        """`connection` has ended."""
        self._connections.discard(connection)
        prefix = prefix_of(connection.peer)
        self._by_prefix[prefix] -= 1
        if self._by_prefix[prefix] <= 0:
            del self._by_prefix[prefix]
        self.loop.remove(connection.fd)
        if aborted:
            self.counters.aborted += 1

    # -- accepting ----------------------------------------------------------------------------------

    def accept(self, listener: socket.socket, *, tls: bool) -> None:
        """Take what waits in the listen queue, up to a round's share."""
        for _ in range(ACCEPTS_PER_ROUND):
            try:
                sock, address = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                # Out of descriptors, or the client is gone already. The queue is told again next round.
                self.counters.refused += 1
                self._log.warning("accept_failed", error=error.strerror)
                if error.errno in OUT_OF_ROOM:
                    self.loop.remove(listener.fileno())
                    self._resting.append((listener, tls))
                return
            self._admit(sock, str(address[0]), tls=tls)

    def _admit(self, sock: socket.socket, peer: str, *, tls: bool) -> None:
        prefix, limits = prefix_of(peer), self.limits
        if len(self._connections) >= limits.connections or self._by_prefix[prefix] >= limits.connections_per_prefix:
            self.counters.refused += 1
            sock.close()
            return
        self._by_prefix[prefix] += 1
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.counters.accepted += 1
        deadline = self.loop.now + self.limits.header_timeout_s
        if tls:
            assert self.certificates is not None, "a TLS listener without certificates"
            connection: Connection = TlsConnection(self, wrapped(self.certificates.context, sock), peer, deadline)
        else:
            connection = Connection(self, sock, peer, deadline)
        self._connections.add(connection)
        self._deadlines.file(connection)
        self.loop.add(connection.fd, connection)

    def linger(self, sock: socket.socket) -> None:
        """Close `sock` once its client has said its last; at once when too many linger already."""
        if len(self._lingering) >= self.limits.connections:
            sock.close()
            return
        member = Lingering(self.loop, sock, self._lingering.discard)
        self._lingering.add(member)
        self._deadlines.file(member)
        member.begin()

    def _find(self, key: str) -> Entry | None:
        return self.table.look_up((PREFIX + key).encode(), key)

    # -- every tick ---------------------------------------------------------------------------------

    def _prepare(self, entry: Entry) -> None:
        reply.prepare(entry, self.appliance)

    def _tick(self, now: float) -> None:
        self.seconds.tick(self._clock.now())
        self.misses.tick(now)
        self.warming.tick(now)
        if self.certificates is not None:
            self.certificates.rotate(self._clock.now())
        if self.access_log is not None:
            self.access_log.tick()
        while self._resting:
            listener, tls_too = self._resting.pop()
            if listener in self._listeners:
                self.loop.add(listener.fileno(), _Accepts(self, listener, tls=tls_too), ACCEPT_EVENTS)
        for late in self._deadlines.expired(now):
            assert isinstance(late, Connection | Lingering)
            late.expire()
        if now >= self._next_report:
            self._next_report = now + REPORT_S
            self._report()
        if self.draining:
            self._finish_drain(now)

    def _report(self) -> None:
        if self.misses.linked:
            rows = self.counters.take_rows()
            totals = self.counters.totals()
            totals["oca_front_cold_reads_total"] = self.warming.cold_slices
            totals["oca_front_log_lines_dropped_total"] = self.access_log.dropped if self.access_log else 0
            self.misses.report(link.Served(len(self._connections), totals, rows))

    # -- the end ------------------------------------------------------------------------------------

    def _drain(self, idle_s: float) -> None:
        idle_at = self.loop.now + idle_s
        self._drain_idle_at = min(idle_at, self._drain_idle_at) if self.draining else idle_at
        if self.draining:
            return
        self.draining = True
        for listener, tls in zip(self._listeners, (False, True), strict=False):
            self.accept(listener, tls=tls)
            self.loop.remove(listener.fileno())
            listener.close()
        self._listeners = []
        for connection in self._connections:
            connection.requests_left = 1
        self._log.info("worker_draining", connections=len(self._connections))

    def _finish_drain(self, now: float) -> None:
        if now >= self._drain_idle_at:
            for connection in [each for each in self._connections if each.idle]:
                connection.close(aborted=False)
        if not self._connections and not self._lingering:
            self.loop.stop()

    def _close(self) -> None:
        self._report()
        for connection in list(self._connections):
            connection.close(aborted=connection.out.active)
        for member in list(self._lingering):
            member.expire()
        for listener in self._listeners:
            listener.close()
        self.misses.close()
        self.warming.close()
        if self.access_log is not None:
            self.access_log.close()
        self.loop.close()
        self._log.info("worker_stopped")


def prefix_of(peer: str) -> str:
    """The /24 or /56 of an address as the kernel writes it, for counting.

    >>> prefix_of("192.0.2.7"), prefix_of("2001:db8:1:2ff::7"), prefix_of("2001:db8::1")
    ('192.0.2', '2001:db8:1:2', '2001:db8:0:0')
    """
    if ":" not in peer:
        return peer.rpartition(".")[0]
    head, gap, tail = peer.partition("%")[0].partition("::")
    groups = head.split(":") if head else []
    if gap:
        after = tail.split(":") if tail else []
        groups += ["0"] * (8 - len(groups) - len(after)) + after
    return ":".join([*groups[:3], format(int(groups[3], 16) >> 8, "x")])


class _Accepts:
    """A listening socket's events."""

    def __init__(self, worker: Worker, listener: socket.socket, *, tls: bool) -> None:
        self._worker = worker
        self._listener = listener
        self._tls = tls

    def on_events(self, events: int) -> None:
        self._worker.accept(self._listener, tls=self._tls)
