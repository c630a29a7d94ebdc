"""What to send for a request of an object: head, and which bytes of the file. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from oca.front import ranges, reply
from oca.front.ranges import Range
from oca.front.reply import Seconds
from oca.front.request import Request
from oca.front.table import Entry

Piece = tuple[bytes, int, int]
"""Bytes that lead, then [first, end) of the file."""


@dataclass(slots=True)
class Answer:
    """`head`, then for each piece its own leading bytes and [first, end) of the file, then `tail`."""

    status: int
    head: bytes
    pieces: list[Piece]
    tail: bytes = b""


def answer(request: Request, entry: Entry, seconds: Seconds) -> Answer:
    """The answer to a GET or HEAD of `entry` (RFC 9110, sections 13.2.2 and 14.2)."""
    result = _answer(request, entry, seconds)
    if request.method == b"HEAD":
        result.pieces, result.tail = [], b""
    return result


def _answer(request: Request, entry: Entry, seconds: Seconds) -> Answer:
    verdict = ranges.precondition(request.headers, entry.etag, entry.stored_at)
    if verdict == "not-modified":
        return Answer(304, reply.not_modified(entry, seconds), [])
    if verdict == "failed":
        detail = "the object is not the one that If-Match or If-Unmodified-Since names"
        return Answer(412, reply.problem(seconds, 412, detail), [])
    asked = request.headers.get(b"range")
    # Range is defined for GET alone (RFC 9110, 14.2).
    if asked is None or request.method != b"GET":
        return _whole(entry, seconds)
    if not ranges.range_applies(request.headers, entry.etag, entry.stored_at):
        return _whole(entry, seconds)
    wanted = ranges.byte_ranges(asked, entry.size)
    return _whole(entry, seconds) if wanted is None else _partial(entry, seconds, ranges.coalesced(wanted))


def _partial(entry: Entry, seconds: Seconds, wanted: list[Range]) -> Answer:
    if not wanted:
        extra = b"Content-Range: bytes */%d\r\n" % entry.size
        detail = f"the object has {entry.size} bytes; none of the ranges asked for lies inside"
        return Answer(416, reply.problem(seconds, 416, detail, extra=extra), [])
    if len(wanted) == 1:
        first, end = wanted[0]
        return Answer(206, reply.part(entry, seconds, first, end), [(b"", first, end)])
    head, before, closing = reply.parts(entry, seconds, wanted)
    pieces = [(lead, first, end) for lead, (first, end) in zip(before, wanted, strict=True)]
    return Answer(206, head, pieces, closing)


def _whole(entry: Entry, seconds: Seconds) -> Answer:
    return Answer(200, reply.whole(entry, seconds), [(b"", 0, entry.size)] if entry.size else [])
