"""A client over TLS: a handshake before the first request, then a Connection like any other."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

from oca.front.certificates import kernel_encrypts
from oca.front.connection import RECEIVE_BYTES, Connection
from oca.front.loop import BROKEN
from oca.front.table import Entry
from oca.front.transmit_tls import TlsTransmission

if TYPE_CHECKING:
    from oca.front.worker import Worker

TLS_RECORD_TYPES = b"\x16\x80"
"""First bytes of a TLS (or an ancient SSL 2) client's first message."""


class TlsConnection(Connection):
    """`shaking`: the handshake is under way."""

    __slots__ = ("shaking", "tls")
    scheme = b"https"

    def __init__(self, worker: Worker, sock: ssl.SSLSocket, peer: str, deadline: float) -> None:
        super().__init__(worker, sock, peer, deadline)
        self.tls = sock
        self.out = TlsTransmission(sock)
        self.shaking = True

    def on_events(self, events: int) -> None:
        """Epoll's word: shake hands until that is done, then serve."""
        if self.shaking and not events & BROKEN and not self._shake():
            return
        super().on_events(events)

    def _shake(self) -> bool:
        try:
            self.tls.do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError:
            self._worker.counters.handshakes_failed += 1
            self.close(aborted=False)
            return False
        self.shaking = False
        self.readable = True
        counters = self._worker.counters
        counters.handshakes += 1
        counters.resumed += bool(self.tls.session_reused)
        if kernel_encrypts(self.sock):
            counters.kernel_tls += 1
            assert isinstance(self.out, TlsTransmission)
            self.out.by_kernel = True
        return True

    def _receive(self) -> bytes:
        # OpenSSL may hold more than the socket tells of: readable until it says it wants to read.
        try:
            data = self.tls.recv(RECEIVE_BYTES)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            self.readable = False
            return b""
        except OSError:
            self.close(aborted=False)
            return b""
        if not data:
            self.close(aborted=False)
        return data

    def _send_hit(self, entry: Entry, head: bytes, first: int, end: int) -> bool:
        self.requests_left -= 1
        if not entry.requests:
            self._worker.counters.touched.append(entry)
        entry.requests += 1
        self.out.resume(head, entry, first, end)
        self._started()
        return False


def wrapped(context: ssl.SSLContext, sock: socket.socket) -> ssl.SSLSocket:
    """`sock` ready for a handshake on the loop. Raises OSError when the client is gone already."""
    return context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=True)
