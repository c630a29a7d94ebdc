"""Keep-alive connections to one server, and the reading of answers on them.

It costs as little as it can: heads read once, bodies discarded in the kernel by `recv(MSG_TRUNC)` where
there is no TLS. What is measured is the server, not the client. When to ask is not decided here.
"""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass

DISCARD_BYTES = 1 << 20
HEAD_BYTES = 2048
HEAD_LIMIT = 16 * 1024
CONNECT_S = 30.0
TCP_CONGESTION = getattr(socket, "TCP_CONGESTION", 13)
_FIELDS = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0 Safari/537.36",
    "Accept: */*",
    "Accept-Encoding: identity",
    "Accept-Language: en",
    "Origin: http://player.example",
    "Referer: http://player.example/",
)
"""What a browser's player sends."""


class BadAnswerError(ValueError):
    """A server answered something that no answer to our request is."""


@dataclass(frozen=True, slots=True)
class Target:
    """A server's address, and how it is spoken to."""

    address: tuple[str, int]
    tls: ssl.SSLContext | None = None

    def request(self, path: str, byte_range: tuple[int, int] | None = None) -> bytes:
        """The bytes of a request for `path`, or of it the bytes [first, end)."""
        fields = [f"GET {path} HTTP/1.1", f"Host: {self.address[0]}:{self.address[1]}", *_FIELDS]
        if byte_range is not None:
            fields.append(f"Range: bytes={byte_range[0]}-{byte_range[1] - 1}")
        return ("\r\n".join(fields) + "\r\n\r\n").encode()

    def connect(self) -> socket.socket:
        """A connection, non-blocking from then on. Raises OSError."""
        sock = socket.create_connection(self.address, timeout=CONNECT_S)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, TCP_CONGESTION, b"cubic")
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_hostname="localhost")
            sock.setblocking(False)
        except OSError:
            sock.close()
            raise
        return sock


class Link:
    """One connection. Times are monotonic seconds; those of the last request stay until the next.

    `tag` is for whoever asks: what the request was for.
    """

    __slots__ = tuple("_flags _head _left asked_at broken busy fd first_at received sock tag".split())

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.busy = False
        self.broken = False
        self.asked_at = 0.0
        self.first_at = 0.0
        self.received = 0
        self.tag = 0
        self._head = b""
        self._left = -1
        self._flags = 0 if isinstance(sock, ssl.SSLSocket) else socket.MSG_TRUNC

    def __repr__(self) -> str:
        return f"<Link {self.fd} {'busy' if self.busy else 'idle'}, {self._left} bytes to come>"

    def ask(self, request: bytes, now: float) -> None:
        """Send `request`; it is small enough to go out at once. Raises OSError."""
        assert not self.busy, "one request at a time"
        self.busy = True
        self.asked_at = now
        self.first_at = 0.0
        self.received = 0
        self._left = -1
        if self.sock.send(request) != len(request):
            raise BlockingIOError("a request did not fit into the socket")

    def take(self, buffer: bytearray, monotonic: Callable[[], float]) -> bool:
        """Take what has arrived; True when the answer is complete. Raises OSError and BadAnswerError."""
        sock = self.sock
        try:
            if self._left < 0 and not self._take_head(monotonic):
                return False
            while self._left > 0:
                count = sock.recv_into(buffer, min(self._left, DISCARD_BYTES), self._flags)
                if count == 0:
                    raise ConnectionResetError("closed in mid-answer")
                self._left -= count
                self.received += count
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        self.busy = False
        self._left = -1
        return True

    def _take_head(self, monotonic: Callable[[], float]) -> bool:
        data = self.sock.recv(HEAD_BYTES)
        if not data:
            raise ConnectionResetError("closed by the server")
        if not self.busy:
            raise BadAnswerError(f"bytes that nobody asked for: {data[:80]!r}")
        if not self.first_at:
            self.first_at = monotonic()
        self.received += len(data)
        if self._head:
            data = self._head + data
        self._left = body_left(data)
        self._head = data if self._left < 0 else b""
        return self._left >= 0


def body_left(data: bytes) -> int:
    r"""Bytes of body still to come after `data`; -1 when the head is not complete. Raises BadAnswerError.

    >>> body_left(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), body_left(b"HTTP/1.1 200 OK\r\n")
    (7, -1)
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        if len(data) > HEAD_LIMIT:
            raise BadAnswerError(f"a head of more than {HEAD_LIMIT} bytes")
        return -1
    head = data[: end + 2].lower()
    if not head.startswith((b"http/1.1 200 ", b"http/1.1 206 ")):
        raise BadAnswerError(f"unexpected answer: {data[:80]!r}")
    start = head.find(b"\r\ncontent-length:")
    if start < 0:
        raise BadAnswerError("an answer without its length")
    left = int(head[start + 17 : head.index(b"\r\n", start + 17)]) - (len(data) - end - 4)
    if left < 0:
        raise BadAnswerError("an answer longer than its length")
    return left


class Pool:
    """`count` links to one target, watched by one epoll. A context manager: leaving it closes them."""

    def __init__(self, target: Target, count: int, monotonic: Callable[[], float]) -> None:
        self.target = target
        self.count = count
        self.links: dict[int, Link] = {}
        self._monotonic = monotonic
        self._epoll = select.epoll()
        self._buffer = bytearray(DISCARD_BYTES)
        try:
            self.fill()
        except OSError:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"<Pool of {len(self.links)} links to {self.target.address}>"

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fill(self) -> None:
        """Open what is missing. Raises OSError."""
        while len(self.links) < self.count:
            self.open()

    def open(self) -> Link:
        """One link more. Raises OSError."""
        link = Link(self.target.connect())
        self.links[link.fd] = link
        self._epoll.register(link.fd, select.EPOLLIN)
        return link

    def ask(self, link: Link, request: bytes) -> Link | None:
        """Send `request` on `link`, or on a new one in its place when it is broken; None when that fails."""
        try:
            if link.broken:
                link = self.open()
        except OSError:
            return None
        try:
            link.ask(request, self._monotonic())
        except OSError:
            self.drop(link)
            return None
        return link

    def drop(self, link: Link) -> None:
        """Close a link that failed."""
        link.broken = True
        self._epoll.unregister(link.fd)
        del self.links[link.fd]
        link.sock.close()

    def close(self) -> None:
        """Close every link."""
        for link in self.links.values():
            link.sock.close()
        self.links.clear()
        self._epoll.close()

    def answers(self, timeout_s: float) -> Iterator[Link]:
        """Links whose answer is complete, each as soon as it is; and links that broke, which are dropped before.

        Waits for the first of them at most `timeout_s`, then gives what is there.
        """
        links, buffer, monotonic = self.links, self._buffer, self._monotonic
        for fd, _ in self._epoll.poll(timeout_s):
            link = links.get(fd)
            if link is None:  # dropped meanwhile
                continue
            try:
                if not link.take(buffer, monotonic):
                    continue
            except (OSError, BadAnswerError):
                self.drop(link)
            yield link

    def give_up(self) -> int:
        """Drop every link that still waits for an answer; how many did."""
        waiting = [link for link in self.links.values() if link.busy]
        for link in waiting:
            self.drop(link)
        return len(waiting)
