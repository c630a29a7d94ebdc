"""One client's connection: bytes in, requests one after another, segments out.

It is reading a head, waiting for the keeper (`waiting`), parked (for more bytes of a growing object, or
for cold ones to be read), or sending. `run` goes on through these until the socket, the keeper or the
quantum says stop. Rules:

- Edge-triggered: `readable` and `writable` remember what epoll told once, until EAGAIN takes it back.
- A repeated request (same head but for the path, and the path in the table) skips the parser: the first
  one of that shape was checked in full. Whatever is unusual about it takes the long way.
- Once a head is out, the only way to report trouble is to cut the connection; never to pad or to stop
  early as if all were well.
"""

from __future__ import annotations

import os
import re
import select
import socket
from typing import TYPE_CHECKING

from oca.front import reply
from oca.front.access.verify import Allowed
from oca.front.answer import answer
from oca.front.loop import BROKEN, READABLE, WRITABLE
from oca.front.manners import CMCD_QUERY, Told
from oca.front.repeat import Repeat, repeat_of
from oca.front.request import HEAD_END, BadRequestError, Request, parse_head
from oca.front.table import Entry
from oca.front.transmit import CORK_BYTES, Sent, Transmission

if TYPE_CHECKING:
    from oca.front.worker import Worker

RECEIVE_BYTES = 16 * 1024
LINGER_RESET = b"\x01\0\0\0\0\0\0\0"
_VISIBLE = re.compile(rb"[!-~]*")


class Connection:
    """A client. `closed` and `deadline` (monotonic seconds) are what the worker's timeouts go by."""

    __slots__ = tuple(
        "_worker closed deadline ended fd fields head_started keep_alive out parked path peer pending readable "
        "repeat requests_left sent_mark sock started status told unread waiting writable".split()
    )

    scheme = b"http"

    def __init__(self, worker: Worker, sock: socket.socket, peer: str, deadline: float) -> None:
        self._worker = worker
        self.sock = sock
        self.fd = sock.fileno()
        self.peer = peer
        self.deadline = deadline
        self.closed = False
        self.readable = False
        self.writable = True
        self.pending = b""
        self.head_started = False
        self.keep_alive = True
        self.requests_left = worker.limits.requests_per_connection
        self.waiting: Request | None = None
        self.parked = False
        self.repeat: Repeat | None = None
        self.told: Told | None = None
        self.fields = b""
        self.ended = False
        self.unread = False
        self.out = Transmission(sock)
        self.path = b""
        self.status = 0
        self.started = deadline
        self.sent_mark = 0

    def __repr__(self) -> str:
        state = "closed" if self.closed else "waiting" if self.waiting else "parked" if self.parked else "open"
        return f"<Connection {self.fd} of {self.peer} {state} {self.out if self.out.active else ''}>"

    @property
    def idle(self) -> bool:
        """Whether nothing is owed to the client."""
        return not self.out.active and self.waiting is None and not self.pending

    def on_events(self, events: int) -> None:
        """Epoll's word. A broken connection ends at once; everything else is remembered and run."""
        if events & BROKEN:
            self.close(aborted=self.out.active or self.waiting is not None)
            return
        if events & WRITABLE:
            self.writable = True
        if events & READABLE:
            self.readable = True
            self.ended = self.ended or bool(events & select.EPOLLRDHUP)
            if self.repeat is not None and not self.out.active and not self.pending and self._hit(self.repeat):
                return
        self.run()

    def run(self) -> None:
        """Go on until nothing more can be done now, or the quantum is used up."""
        while not self.closed:
            if self.out.active:
                if self.parked or not self.writable or not self._send():
                    return
            elif self.waiting is not None or not self._next_request():
                return

    # -- the short way ------------------------------------------------------------------------------

    def _hit(self, repeat: Repeat) -> bool:
        """Answer a repeated request at once: True when nothing is left to do. `run` gets what is unusual."""
        data = self._receive()
        worker = self._worker
        cut = data.find(b" HTTP/1.1\r\n")
        if not data.startswith(b"GET /") or self.requests_left < 2 or not repeat.matches(data[cut + 11 :]):
            self.pending = data
            return self.closed
        path, query = data[4:cut], b""
        mark = path.find(b"?")
        if mark >= 0 and _VISIBLE.fullmatch(path):
            path, query = path[:mark], path[mark + 1 :]
        if worker.manners.gate is not None:
            allowed = worker.manners.check(self, path, query, repeat.headers, b"GET")
            path = allowed.path if isinstance(allowed, Allowed) and not allowed.fields else b""
        entry = worker.table.get(path) if CMCD_QUERY not in query else None
        if entry is None:
            self.pending = data
            return False
        if repeat.span is None:
            head, first, end, status = reply.whole(entry, worker.seconds), 0, entry.size, 200
        else:
            first, end = repeat.span
            end, status = min(end, entry.size), 206
            head = reply.part(entry, worker.seconds, first, end) if first < end else b""
        if first >= end or entry.available != entry.size or not worker.is_warm(entry, first, end):
            self.pending = data
            return False
        entry.used = True
        self.path, self.status = path, status
        worker.counters.by_status[status] += 1
        return self._send_hit(entry, head, first, end)

    def _send_hit(self, entry: Entry, head: bytes, first: int, end: int) -> bool:
        """Send a whole answer in two calls where the socket takes it; else leave the rest to `run`."""
        worker = self._worker
        self.requests_left -= 1
        if not entry.requests:
            worker.counters.touched.append(entry)
        entry.requests += 1
        try:
            if end - first >= CORK_BYTES:
                self.out.cork(on=True)
            head = head[self.sock.send(head, socket.MSG_MORE) :]
            if not head:
                count, quantum = end - first, worker.limits.send_quantum_bytes
                sent = os.sendfile(self.fd, entry.fd, first, count if count < quantum else quantum)
                entry.sent_bytes += sent
                if sent == count:
                    self.out.cork(on=False)
                    self.deadline = worker.loop.now + worker.limits.idle_timeout_s
                    if worker.access_log is not None:
                        worker.access_log.add(self, count, 0.0)
                    return not self.readable
                first += sent
        except BlockingIOError:
            self.writable = False
        except OSError:
            self.close(aborted=True)
            return True
        self.out.resume(head, entry, first, end)
        self._started()
        return False

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
            self.close(aborted=False)
        elif len(data) < RECEIVE_BYTES and not self.ended:
            self.readable = False  # with the peer's end told already, no further event would come
        return data

    def _next_head(self, data: bytes) -> bool:
        """Find a whole head in what has arrived, reading on as long as there is something to read."""
        limit = self._worker.limits.header_bytes
        while True:
            data = data.lstrip(b"\r\n")
            end = data.find(HEAD_END)
            if 0 <= end <= limit:
                break
            if len(data) > limit or b"\n\n" in data:
                status = 431 if len(data) > limit else 400
                self._refuse_bytes(status, f"no complete request head in {limit} bytes")
                return True
            self.pending = data
            more = self._receive() if self.readable else b""
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
        try:
            request = parse_head(head, field_limit=worker.limits.header_fields)
        except BadRequestError as error:
            self._refuse_bytes(error.status, error.reason)
            return
        self.path = request.path
        # A body is never read: the answer is the last on this connection, so it cannot be mistaken for a request.
        self.keep_alive = request.keep_alive and request.body_length == 0 and self.requests_left > 1
        self.repeat = repeat_of(head, request) if self.keep_alive else None
        self.fields = b""
        self.unread = request.body_length != 0
        worker.route(self, request)

    # -- answering ----------------------------------------------------------------------------------

    def serve(self, request: Request, entry: Entry, *, fetched: bool = False) -> None:
        """Answer `request` from `entry`, which may still be arriving. `fetched`: the request waited for it."""
        counters = self._worker.counters
        counters.fetched += fetched
        result = answer(request, entry, self._worker.seconds)
        head = result.head
        if self.fields:
            head = head[:-2] + self.fields + b"\r\n" if head.endswith(b"\r\n\r\n") else head
        if not self.keep_alive or b"connection" in request.headers:
            head = reply.with_connection(head, keep_alive=self.keep_alive)
        if not entry.requests:
            counters.touched.append(entry)
        entry.requests += 1
        self.out.begin(head, entry, result.pieces[:], result.tail)
        self._answering(result.status)

    def respond(self, status: int, response: bytes) -> None:
        """Send a small complete response that is not from a file."""
        self.out.begin(response, None, [], b"")
        self._answering(status)

    def refuse(
        self, request: Request, status: int, detail: str, *, extra: bytes = b"", kind: str = "about:blank"
    ) -> None:
        """Answer with a problem document."""
        head_only, close = request.method == b"HEAD", not self.keep_alive
        seconds = self._worker.seconds
        self.respond(
            status, reply.problem(seconds, status, detail, extra=extra, kind=kind, head_only=head_only, close=close)
        )

    def _refuse_bytes(self, status: int, reason: str) -> None:
        """What arrived is no request: answer and close, as nothing after it can be trusted."""
        self._worker.counters.bad_requests += 1
        self.keep_alive = False
        self.unread = True
        self.respond(status, reply.problem(self._worker.seconds, status, reason, close=True))

    def _answering(self, status: int) -> None:
        self.status = status
        self.requests_left -= 1
        self._worker.counters.count_status(status)
        self.head_started = False
        self._started()

    def _started(self) -> None:
        worker = self._worker
        self.started = worker.loop.now
        self.sent_mark = 0
        self.deadline = worker.loop.now + worker.limits.send_timeout_s

    # -- sending ------------------------------------------------------------------------------------

    def _send(self) -> bool:
        """One turn. True when the answer is out and the next request may be taken."""
        worker, out = self._worker, self.out
        stopped = out.turn(worker.limits.send_quantum_bytes)
        if stopped is Sent.COLD:
            assert out.entry is not None, "only files are cold"
            if worker.is_warm(out.entry, out.offset, out.end):
                out.warm_end = out.end
                stopped = out.turn(worker.limits.send_quantum_bytes)
        if stopped is Sent.DONE:
            return self._sent()
        if stopped is Sent.FULL:
            self.writable = False
        elif stopped is Sent.TURN:
            worker.loop.again(self.run)
        elif stopped is Sent.BROKEN:
            self.close(aborted=True)
        else:
            self._park(stopped)
        return False

    def _park(self, stopped: Sent) -> None:
        """Wait for the keeper to bring more bytes, or for a thread to read cold ones."""
        out = self.out
        assert out.entry is not None, "only files are waited for"
        self.parked = True
        if stopped is Sent.STARVED:
            self._worker.misses.wait_for_more(out.entry, self)
        else:
            self._worker.warming.warm(out.entry, out.offset, out.end, self._warmed)

    def _warmed(self, warm_end: int) -> None:
        if self.closed:
            return
        if warm_end < 0:
            self.close(aborted=True)
            return
        self.out.warm_end = warm_end
        self.unpark()

    def unpark(self) -> None:
        """What was waited for is there."""
        self.parked = False
        self.run()

    def _sent(self) -> bool:
        worker = self._worker
        if worker.access_log is not None:
            worker.access_log.add(self, self.out.progress, worker.loop.now - self.started)
        self.out.finish()
        if not self.keep_alive:
            linger = not self.ended and (self.unread or bool(self.pending) or self.readable)
            self.close(aborted=False, linger=linger)
            return False
        self.deadline = worker.loop.now + worker.limits.idle_timeout_s
        return True

    # -- the end ------------------------------------------------------------------------------------

    def expire(self) -> None:
        """The deadline has passed: answer 504 or 408 where an answer is due, else close."""
        worker, limits, out = self._worker, self._worker.limits, self.out
        enough = limits.min_send_bytes_per_s * limits.send_timeout_s
        if out.active and (self.parked or out.progress - self.sent_mark >= enough):
            self.sent_mark = out.progress
            self.deadline = worker.loop.now + limits.send_timeout_s
            return
        worker.counters.timeouts += 1
        if self.waiting is not None:
            request, self.waiting = self.waiting, None
            self.refuse(request, 504, "no source had the object in time")
            self.run()
        elif self.pending and not out.active:
            self._refuse_bytes(408, "the request's head did not arrive in time")
            self.run()
        else:
            self.close(aborted=out.active)

    def close(self, *, aborted: bool, linger: bool = False) -> None:
        """End the connection. `aborted`: an answer was cut; the peer must see a reset, not an orderly end.

        `linger`: the client may have sent more; it is read and dropped so that it does not cost the answer.
        """
        if self.closed:
            return
        self.closed = True
        self.waiting = None
        self._worker.forget(self, aborted=aborted)
        if aborted:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
        self.out.finish()
        if linger:
            self._worker.linger(self.sock)
        else:
            self.sock.close()
