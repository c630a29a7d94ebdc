"""A socket after its last answer: what the client still sends is read and dropped, then it is closed.

Closing with unread bytes makes the kernel reset the connection, and the client may lose the end of the
answer it was just sent (RFC 9112, 9.6).
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from oca.front.loop import Loop

LINGER_S = 2.0
DISCARD_BYTES = 64 * 1024
DISCARD_LIMIT_BYTES = 4 * 1024 * 1024


class Lingering:
    """One such socket. Watched like a connection: `closed`, `deadline` (monotonic seconds), `expire`."""

    __slots__ = ("_dropped", "_forget", "_loop", "_sock", "closed", "deadline")

    def __init__(self, loop: Loop, sock: socket.socket, forget: Callable[[Lingering], None]) -> None:
        self._loop = loop
        self._sock = sock
        self._forget = forget
        self._dropped = 0
        self.closed = False
        self.deadline = loop.now + LINGER_S

    def __repr__(self) -> str:
        return f"<Lingering {self._sock.fileno()}, {self._dropped} bytes dropped>"

    def begin(self) -> None:
        """Say that no more will be sent, and watch for the client's end."""
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._end()
            return
        self._loop.add(self._sock.fileno(), self)
        self.on_events(0)

    def on_events(self, events: int) -> None:
        """Drop what has arrived; close at the client's end, or when it sends too much."""
        try:
            while self._dropped < DISCARD_LIMIT_BYTES:
                data = self._sock.recv(DISCARD_BYTES)
                if not data:
                    break
                self._dropped += len(data)
        except BlockingIOError:
            return
        except OSError:
            self._end()
            return
        self._end()

    def expire(self) -> None:
        """Its time is over."""
        self._end()

    def _end(self) -> None:
        if not self.closed:
            self.closed = True
            self._loop.remove(self._sock.fileno())
            self._sock.close()
            self._forget(self)
