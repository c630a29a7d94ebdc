"""The head that a connection's client sends again and again: which next one may skip the parser. Pure.

A head counts as repeated when it is byte for byte one that was parsed and checked in full, but for its
request line and the two numbers of one simple Range. Everything else is a new head.
"""

from __future__ import annotations

import re
import sys

from oca.front.request import Request

_SIMPLE_UNLESS = frozenset(
    b"if-match if-none-match if-modified-since if-unmodified-since if-range connection expect".split()
)
_ONE_RANGE = re.compile(rb"bytes=(\d{1,18})-(\d{0,18})")
_RANGE_LINE = re.compile(rb"(?:^|\r\n)range:[ \t]*([^\r]*?)[ \t]*\r\n", re.IGNORECASE)


class Repeat:
    """What follows the request line: as it was, and around its Range. `span` is [first, end) asked for."""

    __slots__ = ("after", "before", "headers", "rest", "span")

    def __init__(self, rest: bytes, headers: dict[bytes, bytes]) -> None:
        self.rest = rest
        self.headers = headers
        self.before: bytes | None = None
        self.after = b""
        self.span: tuple[int, int] | None = None

    def __repr__(self) -> str:
        return f"<Repeat of {len(self.rest)} bytes, {'one range' if self.before is not None else 'whole objects'}>"

    def matches(self, rest: bytes) -> bool:
        """Whether `rest` follows a request line as what was checked did. Takes its range over."""
        if rest == self.rest:
            return True
        before, after = self.before, self.after
        if before is None or not rest.startswith(before) or not rest.endswith(after):
            return False
        span = _span(rest, len(before), len(rest) - len(after))
        if span is None:
            return False
        self.rest, self.span = rest, span
        return True


def repeat_of(head: bytes, request: Request) -> Repeat | None:
    """What may be repeated of `head`, which was parsed as `request`; None when every one must be parsed."""
    line, _, rest = head.partition(b"\r\n")
    if request.method != b"GET" or not line.endswith(b" HTTP/1.1") or _SIMPLE_UNLESS & request.headers.keys():
        return None
    repeat = Repeat(rest, request.headers)
    if b"range" in request.headers:
        place = _RANGE_LINE.search(rest)
        repeat.span = _span(rest, place.start(1), place.end(1)) if place is not None else None
        if place is None or repeat.span is None:
            return None
        repeat.before, repeat.after = rest[: place.start(1)], rest[place.end(1) :]
    return repeat


def _span(rest: bytes, start: int, stop: int) -> tuple[int, int] | None:
    """[first, end) of the simple range between two places; None when there is no such range."""
    match = _ONE_RANGE.fullmatch(rest, start, stop) if start < stop else None
    if match is None:
        return None
    first, end = int(match.group(1)), int(match.group(2)) + 1 if match.group(2) else sys.maxsize
    return (first, end) if first < end else None
