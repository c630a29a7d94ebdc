"""A closed-loop client: every connection asks again as soon as its answer is complete.

It costs as little as it can: one epoll loop, heads read once, bodies discarded in the kernel by
`recv(MSG_TRUNC)` where there is no TLS. What it measures is the server, not itself.
"""

from __future__ import annotations

import select
import socket
import ssl
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field

DISCARD_BYTES = 1 << 20
HEAD_BYTES = 2048
TCP_CONGESTION = getattr(socket, "TCP_CONGESTION", 13)


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked: `paths` in turn, whole or the first `range_bytes`, of `address`."""

    address: tuple[str, int]
    paths: tuple[str, ...]
    range_bytes: int | None = None
    tls: ssl.SSLContext | None = None

    def request(self, path: str) -> bytes:
        """The bytes of one request, with the fields that a browser's player sends."""
        fields = [
            f"GET {path} HTTP/1.1",
            f"Host: {self.address[0]}:{self.address[1]}",
            "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0 Safari/537.36",
            "Accept: */*",
            "Accept-Encoding: identity",
            "Accept-Language: en",
            "Origin: http://player.example",
            "Referer: http://player.example/",
        ]
        if self.range_bytes is not None:
            fields.append(f"Range: bytes=0-{self.range_bytes - 1}")
        return ("\r\n".join(fields) + "\r\n\r\n").encode()


@dataclass(slots=True)
class Outcome:
    """What one run saw. `ttfb_s` holds seconds from request to first byte."""

    requests: int = 0
    bytes: int = 0
    failures: int = 0
    seconds: float = 0.0
    ttfb_s: array[float] = field(default_factory=lambda: array("d"))


class Asker:
    """One connection's state."""

    __slots__ = ("asked_at", "expects", "fd", "left", "sock", "turn")

    def __init__(self, sock: socket.socket, turn: int) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.turn = turn
        self.expects = True
        self.left = 0
        self.asked_at = 0.0


def run(target: Target, *, connections: int, seconds: float, monotonic: Callable[[], float]) -> Outcome:
    """Load `target` for `seconds`. Connections are opened before the time starts."""
    askers = {asker.fd: asker for asker in (Asker(_connected(target), turn) for turn in range(connections))}
    requests = [target.request(path) for path in target.paths]
    outcome = Outcome()
    with select.epoll() as epoll:
        for asker in askers.values():
            epoll.register(asker.fd, select.EPOLLIN)
        started = monotonic()
        for asker in askers.values():
            _ask(asker, requests, started)
        _loop(epoll, askers, requests, outcome, started + seconds, monotonic)
        outcome.seconds = monotonic() - started
    for asker in askers.values():
        asker.sock.close()
    return outcome


def _loop(
    epoll: select.epoll,
    askers: dict[int, Asker],
    requests: list[bytes],
    outcome: Outcome,
    until: float,
    monotonic: Callable[[], float],
) -> None:
    buffer = bytearray(DISCARD_BYTES)
    now = monotonic()
    while now < until and askers:
        events = epoll.poll(min(until - now, 0.5))
        now = monotonic()
        for fd, _ in events:
            asker = askers[fd]
            try:
                done = _read(asker, buffer, outcome, now)
            except (OSError, ValueError):
                outcome.failures += 1
                epoll.unregister(fd)
                asker.sock.close()
                del askers[fd]
                continue
            if done:
                outcome.requests += 1
                _ask(asker, requests, now)


def _ask(asker: Asker, requests: list[bytes], now: float) -> None:
    asker.turn += 1
    asker.asked_at = now
    asker.expects = True
    asker.sock.send(requests[asker.turn % len(requests)])


def _read(asker: Asker, buffer: bytearray, outcome: Outcome, now: float) -> bool:
    """Take what has arrived. True when the answer is complete."""
    sock = asker.sock
    if asker.expects:
        try:
            data = sock.recv(HEAD_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        asker.left = _body_left(data)
        asker.expects = False
        outcome.ttfb_s.append(now - asker.asked_at)
        outcome.bytes += len(data)
    flags = 0 if isinstance(sock, ssl.SSLSocket) else socket.MSG_TRUNC
    while asker.left > 0:
        try:
            count = sock.recv_into(buffer, min(asker.left, DISCARD_BYTES), flags)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        if count == 0:
            raise ConnectionResetError("closed in mid-answer")
        asker.left -= count
        outcome.bytes += count
    return True


def _body_left(data: bytes) -> int:
    """Bytes of body still to come after `data`, which begins with the whole head. Raises ValueError."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not end or not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 206")):
        raise ValueError(f"unexpected answer: {head[:80]!r}")
    lower = head.lower()
    start = lower.index(b"content-length:") + 15
    stop = lower.find(b"\r\n", start)
    return int(lower[start : stop if stop > 0 else len(lower)]) - len(body)


def _connected(target: Target) -> socket.socket:
    sock = socket.create_connection(target.address, timeout=10)
    sock.setsockopt(socket.IPPROTO_TCP, TCP_CONGESTION, b"cubic")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if target.tls is not None:
        sock = target.tls.wrap_socket(sock, server_hostname="localhost")
    sock.setblocking(False)
    return sock
