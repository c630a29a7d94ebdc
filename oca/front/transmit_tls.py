"""The same as `transmit`, through OpenSSL: SSL_write straight from a mapping of the file.

Where the kernel encrypts (kTLS), files go by sendfile as in plaintext; heads still pass OpenSSL, which
hands them to the kernel. The socket is corked while an answer is going out, so that records fill packets.
"""

from __future__ import annotations

import mmap
import os
import ssl

from oca.front.table import Entry
from oca.front.transmit import Sent, Transmission

WRITE_BYTES = 64 * 1024
RECORD_BYTES = 16 * 1024


class TlsTransmission(Transmission):
    """What is left to send of the present answer over TLS."""

    __slots__ = ("by_kernel", "tls")

    blocked = (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError)

    def __init__(self, sock: ssl.SSLSocket) -> None:
        super().__init__(sock)
        self.tls = sock
        self.by_kernel = False

    def turn(self, budget: int) -> Sent:
        """Send up to about `budget` bytes of file."""
        self.cork(on=True)
        stopped = super().turn(budget)
        if stopped is not Sent.TURN:
            self.cork(on=False)
        return stopped

    def _send_head(self) -> bool:
        """Send the head, filled up to one record with the file's first bytes where these may go."""
        entry = self.entry
        data, lead = self.head, 0
        if entry is not None and not self.by_kernel:
            limit = min(self.end, entry.available, self.warm_end, self.offset + RECORD_BYTES - len(data))
            if limit > self.offset:
                lead = limit - self.offset
                data = b"".join((data, _mapped(entry)[self.offset : limit]))
        count = self.tls.send(data)
        assert count >= len(self.head) or not lead, "OpenSSL writes a record whole or not at all"
        self.progress += count
        if count < len(self.head):
            self.head = self.head[count:]
            return False
        if entry is not None and lead:
            self.offset += count - len(self.head)
            entry.sent_bytes += count - len(self.head)
        self.head = b""
        return True

    def _send_file(self, budget: int) -> tuple[int, Sent | None]:
        entry = self.entry
        assert entry is not None, "a slice without a file"
        if self.by_kernel:
            return super()._send_file(budget)
        while self.offset < self.end:
            limit = min(self.end, entry.available, self.warm_end)
            # OpenSSL wants a write that it could not finish repeated with no fewer bytes: the size of a
            # piece depends on the position alone, never on the budget.
            count = min(limit - self.offset, WRITE_BYTES)
            if count <= 0:
                return budget, Sent.STARVED if self.offset >= entry.available else Sent.COLD
            if budget <= 0:
                return 0, Sent.TURN
            sent = self.tls.send(_mapped(entry)[self.offset : self.offset + count])
            self.offset += sent
            self.progress += sent
            entry.sent_bytes += sent
            budget -= sent
        return budget, None


def _mapped(entry: Entry) -> memoryview:
    """The file of `entry` in memory, mapped once and unmapped with the entry."""
    if entry.mapped is None:
        if os.fstat(entry.fd).st_size < entry.available:
            raise BrokenPipeError("the file is shorter than it was")
        entry.mapped = memoryview(mmap.mmap(entry.fd, entry.size, access=mmap.ACCESS_READ))
    return entry.mapped
