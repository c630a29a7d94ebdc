"""Which part of an object a request gets: validators and ranges (RFC 9110, 13 and 14).

Pure. One range at most is served; several, or one that is malformed, get the whole object as the RFC
allows. Objects never change, so there are no dates: the ETag alone decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

HEADER_LIMIT = 512
_RANGE = re.compile(r"^bytes[ \t]*=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*$", re.IGNORECASE)
_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


@dataclass(frozen=True)
class Whole:
    """200 with all bytes."""


@dataclass(frozen=True)
class Part:
    """206 with the bytes from `first` to `last`, both included."""

    first: int
    last: int


@dataclass(frozen=True)
class NotModified:
    """304: the client has it."""


@dataclass(frozen=True)
class Failed:
    """412: the client wants another version than there is."""


@dataclass(frozen=True)
class Unsatisfiable:
    """416: the range starts behind the end."""


Answer = Whole | Part | NotModified | Failed | Unsatisfiable


def answer(method: str, headers: Mapping[str, str], etag: str, size: int) -> Answer:
    """What `method` with `headers` gets of an object of `size` bytes, in the order of RFC 9110, 13.2.2.

    >>> answer("GET", {"Range": "bytes=-2"}, '"a/b"', 10)
    Part(first=8, last=9)
    """
    wanted = headers.get("If-Match")
    if wanted is not None and not _names(wanted, etag, weakly=False):
        return Failed()
    held = headers.get("If-None-Match")
    if held is not None and _names(held, etag, weakly=True):
        return NotModified()
    asked = headers.get("Range")
    if method != "GET" or asked is None or headers.get("If-Range", etag).strip() != etag:
        return Whole()
    return ranged(asked, size)


def ranged(header: str, size: int) -> Answer:
    """What a Range header alone asks of `size` bytes (RFC 9110, 14.1.2 and 14.2)."""
    match = _RANGE.match(header) if len(header) <= HEADER_LIMIT else None
    first, last = match.groups() if match else ("", "")
    if not first and not last:
        return Whole()
    if not first:
        length = min(int(last), size)
        return Part(size - length, size - 1) if length else Unsatisfiable()
    start, end = int(first), int(last) if last else size - 1
    if last and end < start:
        return Whole()
    if start >= size:
        return Unsatisfiable()
    return Part(start, min(end, size - 1))


def _names(header: str, etag: str, *, weakly: bool) -> bool:
    """Whether a list of entity tags, or `*`, names `etag` (RFC 9110, 8.8.3.2)."""
    if header.strip() == "*":
        return True
    return any(
        match.group(1) == etag and (weakly or not match.group(0).startswith("W/"))
        for match in _TAG.finditer(header[: 16 * HEADER_LIMIT])
    )
