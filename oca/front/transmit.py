"""From a file slice to a socket: head, pieces, tail, a quantum per turn.

One Transmission per connection, used again for every answer. It knows the socket, the entry and the
byte positions, and nothing of requests. Rules:

- The head leaves with MSG_MORE when file bytes follow at once, so that head and body share packets.
- Only bytes that may be sent (`entry.available`) and that are in memory (`warm_end`) are given to
  sendfile: a cold page would block every other client of this worker.
- The file of an entry that is served never shrinks; if one did, that is BROKEN, never a short answer.
"""

from __future__ import annotations

import os
import socket
from enum import Enum
from typing import ClassVar

from oca.front.answer import Piece
from oca.front.table import Entry

CORK_BYTES = 512 * 1024
"""Answers with a slice of this length are corked: two calls more, but only full packets."""


class Sent(Enum):
    """How a turn ended."""

    DONE = "everything is out"
    FULL = "the socket takes no more now"
    STARVED = "the next bytes have not arrived yet"
    COLD = "the next bytes are not in memory"
    TURN = "the quantum is used up"
    BROKEN = "the peer or the file failed"


class Transmission:
    """What is left to send of the present answer."""

    __slots__ = (
        "active",
        "corked",
        "end",
        "entry",
        "fd",
        "head",
        "offset",
        "pieces",
        "progress",
        "sock",
        "tail",
        "warm_end",
    )

    blocked: ClassVar[tuple[type[OSError], ...]] = (BlockingIOError,)
    """What the socket raises when it takes no more now."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.active = False
        self.corked = False
        self.entry: Entry | None = None
        self.head = b""
        self.offset = 0
        self.end = 0
        self.warm_end = 0
        self.pieces: list[Piece] = []
        self.tail = b""
        self.progress = 0

    def __repr__(self) -> str:
        key = self.entry.key if self.entry else "-"
        return f"<Transmission {key} at {self.offset} of {self.end}, {len(self.pieces)} pieces more>"

    def begin(self, head: bytes, entry: Entry | None, pieces: list[Piece], tail: bytes) -> None:
        """Start an answer: `head`, then `pieces` of `entry`'s file, then `tail`."""
        self.active = True
        self.entry = entry
        self.head = head
        self.pieces = pieces
        self.tail = tail
        self.offset = self.end = self.warm_end = 0
        self.progress = 0
        self._next_piece()

    def resume(self, head: bytes, entry: Entry, first: int, end: int) -> None:
        """Take over an answer of one slice that was partly sent; its bytes are known to be in memory."""
        self.active = True
        self.entry = entry
        self.head = head
        self.pieces = []
        self.tail = b""
        self.offset, self.end, self.warm_end = first, end, end
        self.progress = 0

    def cork(self, *, on: bool) -> None:
        """Hold back packets that are not full, for the length of a large answer (tcp(7), TCP_CORK)."""
        if self.corked is not on:
            self.corked = on
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, on)

    def finish(self) -> None:
        """Let go of the entry."""
        self.active = False
        self.entry = None
        self.head = self.tail = b""
        self.pieces = []

    def turn(self, budget: int) -> Sent:
        """Send up to `budget` bytes of file."""
        try:
            while True:
                if self.head and not self._send_head():
                    return Sent.FULL
                if self.offset < self.end:
                    if self.end - self.offset >= CORK_BYTES:
                        self.cork(on=True)
                    budget, stopped = self._send_file(budget)
                    if stopped is not None:
                        if stopped is Sent.STARVED:
                            self.cork(on=False)
                        return stopped
                elif not self._next_piece():
                    self.cork(on=False)
                    return Sent.DONE
        except self.blocked:
            return Sent.FULL
        except OSError:
            return Sent.BROKEN

    def _send_head(self) -> bool:
        entry = self.entry
        follows = entry is not None and self.offset < min(self.end, entry.available, self.warm_end)
        count = self.sock.send(self.head, socket.MSG_MORE if follows else 0)
        self.progress += count
        self.head = self.head[count:]
        return not self.head

    def _send_file(self, budget: int) -> tuple[int, Sent | None]:
        """What is left of the budget, and why sending stopped when it did before the slice's end."""
        entry = self.entry
        assert entry is not None, "a slice without a file"
        while self.offset < self.end:
            limit = min(self.end, entry.available, self.warm_end)
            count = min(limit - self.offset, budget)
            if count <= 0:
                if budget <= 0:
                    return 0, Sent.TURN
                return budget, Sent.STARVED if self.offset >= entry.available else Sent.COLD
            sent = os.sendfile(self.fd, entry.fd, self.offset, count)
            if sent == 0:
                return 0, Sent.BROKEN
            self.offset += sent
            self.progress += sent
            entry.sent_bytes += sent
            budget -= sent
        return budget, None

    def _next_piece(self) -> bool:
        """Move on to the next piece or the tail; False when there is nothing more."""
        if self.pieces:
            lead, self.offset, self.end = self.pieces.pop(0)
            self.warm_end = self.offset
            self.head += lead
        elif self.tail:
            self.head, self.tail = self.tail, b""
            self.offset = self.end = 0
        else:
            return False
        return True
