"""One client's connection: bytes in, requests one after another, segments out.

The states are three: reading a head, waiting for the keeper (`waiting`), sending (`sending`). `run` goes
on through them until the socket, the keeper or the quantum says stop. Rules:

- Edge-triggered: `readable` and `writable` remember what epoll told once, until EAGAIN takes it back.
- A repeated request (same head but for the path, and the path in the table) skips the parser: the first
  one of that shape was checked in full.
- Once a head is out, the only way to report trouble is to cut the connection; never to pad or to stop
  early as if all were well.
"""

from __future__ import annotations

import os
import re
import socket
import sys
from typing import TYPE_CHECKING

from oca.front import reply
from oca.front.answer import Answer, answer
from oca.front.loop import BROKEN, READABLE, WRITABLE
from oca.front.request import HEAD_END, BadRequestError, Request, parse_head
from oca.front.table import Entry

if TYPE_CHECKING:
    from oca.front.worker import Worker

RECEIVE_BYTES = 16 * 1024
_VISIBLE = re.compile(rb"[!-~]*")
_SIMPLE_UNLESS = frozenset(
    b"if-match if-none-match if-modified-since if-unmodified-since if-range connection expect".split()
)
_ONE_RANGE = re.compile(rb"^bytes=(\d{1,18})-(\d{0,18})$")


class Connection:
    """A client. `closed` and `deadline` are what the worker's timeouts go by."""

    __slots__ = tuple(
        "_worker closed deadline end entry fd head head_started keep_alive offset pending pieces readable repeat "
        "repeat_range sending sent_mark sock tail waiting writable".split()
    )

    def __init__(self, worker: Worker, sock: socket.socket, deadline: float) -> None:
        self._worker = worker
        self.sock = sock
        self.fd = sock.fileno()
        self.deadline = deadline
        self.closed = False
        self.readable = False
        self.writable = True
        self.pending = b""
        self.head_started = False
        self.waiting: Request | None = None
        self.repeat: bytes | None = None
        self.repeat_range: tuple[int, int] | None = None
        self.sending = False
        self.keep_alive = True
        self.head = b""
        self.entry: Entry | None = None
        self.offset = 0
        self.end = 0
        self.pieces: list[tuple[bytes, int, int]] = []
        self.tail = b""
        self.sent_mark = 0

    def __repr__(self) -> str:
        state = "closed" if self.closed else "sending" if self.sending else "waiting" if self.waiting else "reading"
        return f"<Connection {self.fd} {state} {self.entry.key if self.entry else ''} {self.offset}/{self.end}>"

    @property
    def idle(self) -> bool:
        """Whether nothing is owed to the client."""
        return not self.sending and self.waiting is None and not self.pending

    def on_events(self, events: int) -> None:
        """Epoll's word. A broken connection ends at once; everything else is remembered and run."""
        if events & BROKEN:
            self.close(aborted=self.sending or self.waiting is not None)
            return
        if events & WRITABLE:
            self.writable = True
        if events & READABLE:
            self.readable = True
            if self.repeat is not None and not self.sending and not self.pending and self._hit():
                return
        self.run()

    def run(self) -> None:
        """Go on until nothing more can be done now, or the quantum is used up."""
        budget = self._worker.limits.send_quantum_bytes
        while not self.closed:
            if self.sending:
                if not self.writable:
                    return
                budget = self._send(budget)
                if self.sending:
                    if self.writable and budget <= 0 and not self.closed:
                        self._worker.loop.again(self.run)
                    return
            elif self.waiting is not None or not self._next_request():
                return

    # -- reading ------------------------------------------------------------------------------------

    def _next_request(self) -> bool:
        """Take the next request; False when there is none yet."""
        data = self.pending
        if not data:
            if not self.readable:
                return False
            data = self._receive()
            if not data:
                return False
        return self._next_head(data)

    def _hit(self) -> bool:
        """Answer a repeated request of a stored object at once: True when nothing is left to do.

        A repeated request is one whose head, but for the path, is byte for byte one that was checked in
        full on this connection. Anything unusual is left to `run`, with the bytes read in `pending`.
        """
        data = self._receive()
        worker = self._worker
        cut = data.find(b" HTTP/1.1\r\n")
        if data[cut + 11 :] != self.repeat or not data.startswith(b"GET /") or worker.draining:
            self.pending = data
            return self.closed
        path = data[4:cut]
        mark = path.find(b"?")
        if mark >= 0 and _VISIBLE.fullmatch(path):
            path = path[:mark]
        entry = worker.table.get(path)
        if entry is None or entry.available != entry.size:
            self.pending = data
            return False
        if self.repeat_range is None:
            head, first, end = reply.whole(entry, worker.seconds), 0, entry.size
            status = 200
        else:
            first, end = self.repeat_range
            end = min(end, entry.size)
            head = reply.part(entry, worker.seconds, first, end) if first < end else b""
            status = 206
        if first >= end:
            self.pending = data
            return False
        entry.used = True
        worker.counters.by_status[status] += 1
        return self._send_hit(entry, head, first, end)

    def _send_hit(self, entry: Entry, head: bytes, first: int, end: int) -> bool:
        """Send a whole answer in two calls where the socket takes it; else leave the rest to `run`."""
        if not entry.requests:
            self._worker.counters.touched.append(entry)
        entry.requests += 1
        quantum = self._worker.limits.send_quantum_bytes
        try:
            went = self.sock.send(head, socket.MSG_MORE)
            head = head[went:]
            if not head:
                count = end - first
                sent = os.sendfile(self.fd, entry.fd, first, count if count < quantum else quantum)
                entry.sent_bytes += sent
                if sent == count:
                    self.deadline = self._worker.loop.now + self._worker.limits.idle_timeout_s
                    return not self.readable
                first += sent
        except BlockingIOError:
            self.writable = False
        except OSError:
            self.close(aborted=True)
            return True
        self.head, self.entry, self.offset, self.end = head, entry, first, end
        self.pieces, self.tail = [], b""
        self.sending = True
        self.sent_mark = first
        self.deadline = self._worker.loop.now + self._worker.limits.send_timeout_s
        return False

    def _receive(self) -> bytes:
        try:
            data = self.sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            self.readable = False
            return b""
        except OSError:
            self.close(aborted=False)
            return b""
        if not data:
            self.close(aborted=bool(self.pending))
        elif len(data) < RECEIVE_BYTES:
            self.readable = False
        return data

    def _next_head(self, data: bytes) -> bool:
        """Find a whole head in what has arrived, reading on as long as there is something to read."""
        limit = self._worker.limits.header_bytes
        while True:
            end = data.find(HEAD_END)
            if 0 <= end <= limit:
                break
            if len(data) > limit or b"\n\n" in data:
                status = 431 if len(data) > limit else 400
                self._refuse(status, f"no complete request head in {limit} bytes")
                return True
            self.pending = data
            if not self.readable:
                self._worker.head_pending(self)
                return False
            more = self._receive()
            if not more:
                if not self.closed:
                    self._worker.head_pending(self)
                return False
            data += more
        end += len(HEAD_END)
        head, self.pending = data[:end], data[end:]
        self._take(head)
        return True

    def _take(self, head: bytes) -> None:
        worker = self._worker
        head = head.lstrip(b"\r\n")
        try:
            request = parse_head(head, field_limit=worker.limits.header_fields)
        except BadRequestError as error:
            self._refuse(error.status, error.reason)
            return
        # A body is never read: the answer is the last on this connection, so it cannot be mistaken for a request.
        self.keep_alive = request.keep_alive and request.body_length == 0 and not worker.draining
        self.repeat = None
        if self.keep_alive and request.method == b"GET" and not _SIMPLE_UNLESS & request.headers.keys():
            self._remember(head, request)
        worker.route(self, request)

    def _remember(self, head: bytes, request: Request) -> None:
        """Let the next request with this very head, but another path, take the short way."""
        line, _, rest = head.partition(b"\r\n")
        asked = request.headers.get(b"range")
        match = _ONE_RANGE.match(asked) if asked is not None else None
        if not line.endswith(b" HTTP/1.1") or (asked is not None and match is None):
            return
        if match is not None:
            first, end = int(match.group(1)), int(match.group(2)) + 1 if match.group(2) else sys.maxsize
            if end <= first:
                return
            self.repeat_range = (first, end)
        else:
            self.repeat_range = None
        self.repeat = rest

    # -- answering ----------------------------------------------------------------------------------

    def serve(self, request: Request, entry: Entry, *, fetched: bool = False) -> None:
        """Answer `request` from `entry`, which may still be arriving. `fetched`: the request waited for it."""
        self._worker.counters.fetched += fetched
        self._answer(request, answer(request, entry, self._worker.seconds), entry)

    def _answer(self, request: Request, result: Answer, entry: Entry) -> None:
        self._worker.counters.count_status(result.status)
        head = result.head
        if not self.keep_alive or b"connection" in request.headers:
            head = reply.with_connection(head, keep_alive=self.keep_alive)
        self.head = head
        self.pieces = result.pieces[:]
        self.tail = result.tail
        self.offset = self.end = 0
        if self.pieces:
            lead, self.offset, self.end = self.pieces.pop(0)
            self.head += lead
        self._begin(entry)

    def respond(self, status: int, response: bytes) -> None:
        """Send a small complete response that is not from a file."""
        self._worker.counters.count_status(status)
        self.head = response
        self.offset = self.end = 0
        self.pieces, self.tail = [], b""
        self._begin(None)

    def refuse(self, request: Request, status: int, detail: str, *, extra: bytes = b"") -> None:
        """Answer with a problem document."""
        head_only = request.method == b"HEAD"
        close = not self.keep_alive
        self.respond(
            status,
            reply.problem(self._worker.seconds, status, detail, extra=extra, head_only=head_only, close=close),
        )

    def _refuse(self, status: int, reason: str) -> None:
        """What arrived is no request: answer and close, as nothing after it can be trusted."""
        self._worker.counters.bad_requests += 1
        self.keep_alive = False
        self.pending = b""
        self.respond(status, reply.problem(self._worker.seconds, status, reason, close=True))

    def _begin(self, entry: Entry | None) -> None:
        worker = self._worker
        self.entry = entry
        self.sending = True
        self.head_started = False
        self.sent_mark = 0
        self.deadline = worker.loop.now + worker.limits.send_timeout_s
        if entry is not None:
            if entry.requests == 0:
                worker.counters.touched.append(entry)
            entry.requests += 1

    # -- sending ------------------------------------------------------------------------------------

    def _send(self, budget: int) -> int:
        """Send up to `budget` bytes; what is left of it is returned. Ends `sending` when all is out."""
        entry = self.entry
        try:
            if self.head:
                limit = self.end if entry is None or entry.available > self.end else entry.available
                more = socket.MSG_MORE if limit > self.offset else 0
                sent = self.sock.send(self.head, more)
                if sent < len(self.head):
                    self.head = self.head[sent:]
                    self.writable = False
                    return budget
                self.head = b""
            if entry is not None and self.end:
                budget = self._send_file(entry, budget)
                if self.offset < self.end:
                    return budget
        except BlockingIOError:
            self.writable = False
            return budget
        except OSError:
            self.close(aborted=True)
            return 0
        if self.pieces:
            self.head, self.offset, self.end = self.pieces.pop(0)
        elif self.tail:
            self.head, self.tail, self.offset, self.end = self.tail, b"", 0, 0
        else:
            self._sent()
            return budget
        return self._send(budget)

    def _send_file(self, entry: Entry, budget: int) -> int:
        fd, source, offset, end = self.fd, entry.fd, self.offset, self.end
        end = min(end, entry.available)
        try:
            while offset < end and budget > 0:
                count = end - offset
                sent = os.sendfile(fd, source, offset, count if count < budget else budget)
                if sent == 0:
                    self.close(aborted=True)  # the file is shorter than it was: never pretend otherwise
                    return 0
                offset += sent
                budget -= sent
        finally:
            sent_now = offset - self.offset
            if sent_now:
                self.offset = offset
                entry.sent_bytes += sent_now
        if offset < self.end and offset >= entry.available:
            self._worker.misses.wait_for_more(entry, self)
            self.writable = True
            return 0 if self.closed else budget + 1
        return budget

    def _sent(self) -> None:
        self.sending = False
        self.entry = None
        if not self.keep_alive:
            self.close(aborted=False)
            return
        self.deadline = self._worker.loop.now + self._worker.limits.idle_timeout_s

    def expire(self) -> None:
        """The deadline has passed: answer 504 or 408 where an answer is due, else close."""
        worker, limits = self._worker, self._worker.limits
        if self.sending and self.entry is not None:
            enough = limits.min_send_bytes_per_s * limits.send_timeout_s
            if self.offset - self.sent_mark >= enough or self.offset >= self.entry.available:
                self.sent_mark = self.offset
                self.deadline = worker.loop.now + limits.send_timeout_s
                return
        worker.counters.timeouts += 1
        if self.waiting is not None:
            request, self.waiting = self.waiting, None
            self.refuse(request, 504, "no source had the object in time")
            self.run()
        elif self.pending and not self.sending:
            self._refuse(408, "the request's head did not arrive in time")
            self.run()
        else:
            self.close(aborted=self.sending)

    def close(self, *, aborted: bool) -> None:
        """End the connection. `aborted`: a response was cut; the peer must see a reset, not an orderly end."""
        if self.closed:
            return
        self.closed = True
        self.waiting = None
        self._worker.forget(self, aborted=aborted)
        if aborted:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.sock.close()
        self.entry = None
        self.pieces = []
