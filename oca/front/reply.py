"""Response heads, prepared on change.

What is fixed per object is rendered once, what is fixed per second once a second, and a hit only joins
them. Pure but for the moment it is given.
"""

from __future__ import annotations

import json
from email.utils import formatdate

from oca.front.ranges import Range
from oca.front.table import Entry

CONTENT_TYPES = {
    "mp4": b"video/mp4",
    "m4s": b"video/mp4",
    "m3u8": b"application/vnd.apple.mpegurl",
    "json": b"application/json",
    "vtt": b"text/vtt",
}
REASONS = {
    200: b"OK",
    204: b"No Content",
    206: b"Partial Content",
    304: b"Not Modified",
    308: b"Permanent Redirect",
    400: b"Bad Request",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    412: b"Precondition Failed",
    416: b"Range Not Satisfiable",
    431: b"Request Header Fields Too Large",
    501: b"Not Implemented",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
    505: b"HTTP Version Not Supported",
    508: b"Loop Detected",
}
CORS = (
    b"Access-Control-Allow-Origin: *\r\n"
    b"Access-Control-Expose-Headers: Content-Length, Content-Range, ETag, Retry-After, Cache-Status, CMSD-Dynamic, "
    b"CTA-Common-Access-Token\r\n"
    b"Timing-Allow-Origin: *\r\n"
)
PREFLIGHT = (
    b"HTTP/1.1 204 No Content\r\n" + CORS + b"Access-Control-Allow-Methods: GET, HEAD, OPTIONS\r\n"
    b"Access-Control-Allow-Headers: *, Authorization, Range, CTA-Common-Access-Token, "
    b"CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status\r\n"
    b"Access-Control-Max-Age: 86400\r\n"
)
BOUNDARY = b"oca-part-7f3c1e9a"
KEEP_ALIVE = b"Connection: keep-alive\r\n"
CLOSE = b"Connection: close\r\n"


class Seconds:
    """The wall clock as responses need it: `unix` and a rendered Date line, moved on by `tick`."""

    __slots__ = ("date_line", "unix")

    def __init__(self, now: float) -> None:
        self.unix = -1
        self.date_line = b""
        self.tick(now)

    def tick(self, now: float) -> None:
        """Take `now` (Unix seconds) over."""
        if int(now) != self.unix:
            self.unix = int(now)
            self.date_line = b"Date: " + formatdate(self.unix, usegmt=True).encode() + b"\r\n"


def prepare(entry: Entry, appliance: str) -> None:
    """Render what never changes of `entry`'s heads. A fetched object says so until it is opened anew."""
    suffix = entry.key.rpartition(".")[2]
    status, told = (b"; hit", b"HIT") if entry.whole else (b"; fwd=uri-miss; stored", b"MISS")
    entry.common = (
        b"Content-Type: " + CONTENT_TYPES.get(suffix, b"application/octet-stream") + b"\r\n"
        b"ETag: " + entry.etag + b"\r\n"
        b"Last-Modified: " + formatdate(entry.stored_at, usegmt=True).encode() + b"\r\n"
        b"Cache-Control: public, max-age=31536000, immutable\r\n"
        b"Accept-Ranges: bytes\r\n"
        b"Cache-Status: " + appliance.encode() + status + b"\r\n"
        b"Server-Timing: cdn-cache;desc=" + told + b"\r\n" + CORS
    )
    entry.partial = b"HTTP/1.1 206 Partial Content\r\n" + entry.common
    entry.rendered_at = -1


def render(entry: Entry, seconds: Seconds) -> None:
    """Render what holds for this second: Date and Age (RFC 9111, 5.1: a cache must send it), the head of a 200."""
    entry.rendered_at = seconds.unix
    entry.moment = seconds.date_line + b"Age: %d\r\n\r\n" % max(seconds.unix - entry.stored_at, 0)
    entry.full = b"HTTP/1.1 200 OK\r\n" + entry.common + b"Content-Length: %d\r\n" % entry.size + entry.moment


def whole(entry: Entry, seconds: Seconds) -> bytes:
    """The head of a 200 with all of `entry`, on a connection that stays open."""
    if entry.rendered_at != seconds.unix:
        render(entry, seconds)
    return entry.full


def part(entry: Entry, seconds: Seconds, first: int, end: int) -> bytes:
    """The head of a 206 with bytes [first, end), on a connection that stays open."""
    if entry.rendered_at != seconds.unix:
        render(entry, seconds)
    return b"%bContent-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n%b" % (
        entry.partial,
        first,
        end - 1,
        entry.size,
        end - first,
        entry.moment,
    )


def moment(entry: Entry, seconds: Seconds) -> bytes:
    """The Date and Age lines and the empty line that ends a head."""
    if entry.rendered_at != seconds.unix:
        render(entry, seconds)
    return entry.moment


def parts(entry: Entry, seconds: Seconds, ranges: list[Range]) -> tuple[bytes, list[bytes], bytes]:
    """Head, the lines before each part, and the closing line of a multipart/byteranges 206."""
    kind, _, common = entry.common.partition(b"\r\n")
    before = [
        b"\r\n--" + BOUNDARY + b"\r\n" + kind + b"\r\n"
        b"Content-Range: bytes %d-%d/%d\r\n\r\n" % (first, end - 1, entry.size)
        for first, end in ranges
    ]
    closing = b"\r\n--" + BOUNDARY + b"--\r\n"
    length = sum(map(len, before)) + sum(end - first for first, end in ranges) + len(closing)
    head = (
        b"HTTP/1.1 206 Partial Content\r\nContent-Type: multipart/byteranges; boundary="
        + BOUNDARY
        + b"\r\n"
        + common
        + b"Content-Length: %d\r\n" % length
        + moment(entry, seconds)
    )
    return head, before, closing


def not_modified(entry: Entry, seconds: Seconds) -> bytes:
    """A 304 with the fields that a 200 would have had (RFC 9110, 15.4.5)."""
    _, _, common = entry.common.partition(b"\r\n")
    return b"HTTP/1.1 304 Not Modified\r\n" + common + moment(entry, seconds)


def problem(
    seconds: Seconds,
    status: int,
    detail: str,
    *,
    extra: bytes = b"",
    kind: str = "about:blank",
    head_only: bool = False,
    close: bool = False,
) -> bytes:
    """A whole error response with an RFC 9457 body."""
    reason = REASONS.get(status, b"Error")
    body = json.dumps({"type": kind, "title": reason.decode(), "status": status, "detail": detail}).encode()
    head = (
        b"HTTP/1.1 %d " % status + reason + b"\r\n"
        b"Content-Type: application/problem+json\r\nCache-Control: no-store\r\n"
        + CORS
        + b"Content-Length: %d\r\n" % len(body)
        + seconds.date_line
        + extra
        + (CLOSE if close else b"")
        + b"\r\n"
    )
    return head if head_only else head + body


def plain(seconds: Seconds, status: int, body: bytes, kind: bytes, *, head_only: bool = False) -> bytes:
    """A small whole response that no cache keeps."""
    head = (
        b"HTTP/1.1 %d " % status
        + REASONS[status]
        + b"\r\nContent-Type: "
        + kind
        + b"\r\nCache-Control: no-store\r\n"
        + CORS
        + b"Content-Length: %d\r\n" % len(body)
        + seconds.date_line
        + b"\r\n"
    )
    return head if head_only else head + body


def preflight(seconds: Seconds) -> bytes:
    """The answer to OPTIONS: any page's player may ask anything we serve."""
    return PREFLIGHT + seconds.date_line + b"\r\n"


def with_connection(head: bytes, *, keep_alive: bool) -> bytes:
    """`head` with a Connection field, for HTTP/1.0 clients and last responses."""
    return head[:-2] + (KEEP_ALIVE if keep_alive else CLOSE) + b"\r\n" if head.endswith(b"\r\n\r\n") else head
