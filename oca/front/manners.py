"""Manners with clients: who may have segments, what players tell (CMCD), what they are told back (CMSD).

A player may shape its own delivery, within bounds: its pace, and what the keeper fetches next. Nothing it
tells changes what others get.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from oca.front import cmsd, pacing
from oca.front.access.verify import Allowed, Denied, Gate
from oca.front.cmcd import Cmcd, Reader
from oca.front.hint import hint
from oca.front.pacing import SO_MAX_PACING_RATE, UNPACED, PacingSettings
from oca.front.request import Request

if TYPE_CHECKING:
    from oca.front.connection import Connection
    from oca.front.worker import Worker

TCP_INFO_BYTES = 256
CMCD_FIELD = b"cmcd-"
CMCD_QUERY = b"CMCD="


class Told:
    """What one connection's player told, and how it is paced. Made when it first tells something."""

    __slots__ = ("last", "rate", "reader")

    def __init__(self) -> None:
        self.reader = Reader()
        self.rate = UNPACED
        self.last: Cmcd | None = None


class Manners:
    """What a worker holds its clients to. `gate` is None when everyone may have segments; `now` in Unix seconds."""

    def __init__(self, gate: Gate | None, pace: PacingSettings, *, appliance: str, now: Callable[[], float]) -> None:
        self.gate = gate
        self._pace = pace
        self._appliance = appliance
        self._now = now

    def __repr__(self) -> str:
        return f"<Manners {self.gate!r}, {'pacing' if self._pace.enabled else 'no pacing'}>"

    def check(
        self, connection: Connection, path: bytes, query: bytes, headers: Mapping[bytes, bytes], method: bytes
    ) -> Allowed | Denied:
        """Whether `connection` may have `path`."""
        if self.gate is None:
            return Allowed(path, query)
        client, now = connection.peer, self._now()
        return self.gate.check(path, query, headers, client, method, now=now, scheme=connection.scheme)

    def listen(self, worker: Worker, connection: Connection, request: Request) -> bytes:
        """Take in what the player told with `request`. Gives the lines that the answer's head gets for it."""
        if CMCD_QUERY not in request.query and not any(name.startswith(CMCD_FIELD) for name in request.headers):
            return b""
        told = connection.told
        if told is None:
            told = connection.told = Told()
        told.last = said = told.reader.read(request.headers, request.query)
        if said is None:
            return b""
        rate = pacing.change(told.rate, said, self._pace)
        if rate is not None:
            told.rate = rate
            connection.sock.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, pacing.option(rate))
        following = hint(said, request.path, request.headers.get(b"host", b""))
        if following is not None:
            worker.prefetch(following.key)
        info = connection.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
        return cmsd.dynamic(self._appliance, cmsd.connection(info), overloaded=worker.overloaded)
