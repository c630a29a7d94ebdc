"""Byte ranges and conditional requests, decided purely (RFC 9110, sections 13 and 14).

Nothing here knows a socket or a file. All positions are of the complete representation; a range is
(first, end) with `end` exclusive. The model that the tests hold this against is a plain list of bytes.
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import Literal

RANGES_LIMIT = 32
"""More ranges than this in one request are ignored as a whole (RFC 9110, 14.2: guard against abuse)."""

_SPEC = re.compile(rb"^(\d{0,19})-(\d{0,19})$")

Range = tuple[int, int]


def byte_ranges(field: bytes, size: int) -> list[Range] | None:
    """The satisfiable ranges of a Range field over `size` bytes, in the order asked.

    None: the field is to be ignored (another unit, malformed, too many). An empty list: 416.

    >>> byte_ranges(b"bytes=0-4,-2", 10), byte_ranges(b"bytes=10-", 10), byte_ranges(b"lines=1-2", 10)
    ([(0, 5), (8, 10)], [], None)
    """
    unit, equals, specs = field.partition(b"=")
    if not equals or unit.strip().lower() != b"bytes":
        return None
    ranges: list[Range] = []
    parts = [part.strip(b" \t") for part in specs.split(b",")]
    parts = [part for part in parts if part]
    if not parts or len(parts) > RANGES_LIMIT:
        return None
    for part in parts:
        match = _SPEC.match(part)
        if match is None:
            return None
        first, last = match.groups()
        if first:
            if last and int(last) < int(first):
                return None
            if int(first) < size:
                ranges.append((int(first), min(int(last) + 1, size) if last else size))
        elif last:
            if int(last) and size:
                ranges.append((max(size - int(last), 0), size))
        else:
            return None
    return ranges


def coalesced(ranges: list[Range]) -> list[Range]:
    """Overlapping or adjacent ranges joined, ascending (RFC 9110, 15.3.7.2 allows it).

    Ranges that do not overlap are left in the order asked.

    >>> coalesced([(5, 9), (0, 6)]), coalesced([(6, 9), (0, 2)])
    ([(0, 9)], [(6, 9), (0, 2)])
    """
    ascending = sorted(ranges)
    joined: list[Range] = []
    for first, end in ascending:
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((first, end))
    return ranges if len(joined) == len(ranges) else joined


def etag_matches(field: bytes, etag: bytes, *, weak: bool) -> bool:
    """Whether a list of entity tags names `etag` (RFC 9110, 8.8.3.2). `etag` itself is strong.

    >>> etag_matches(b'"x", W/"a/b"', b'"a/b"', weak=True), etag_matches(b'W/"a/b"', b'"a/b"', weak=False)
    (True, False)
    """
    if field.strip() == b"*":
        return True
    for candidate in re.findall(rb'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"', field):
        if candidate == etag or (weak and candidate == b"W/" + etag):
            return True
    return False


def http_date(field: bytes) -> float | None:
    """Unix seconds of an HTTP date, None when it is none (RFC 9110, 5.6.7)."""
    try:
        parsed = parsedate_to_datetime(field.decode("ascii"))
    except (ValueError, TypeError, IndexError):
        return None
    return parsed.timestamp() if parsed.tzinfo is not None else None


Verdict = Literal["send", "not-modified", "failed"]


def precondition(headers: dict[bytes, bytes], etag: bytes, modified_at: float) -> Verdict:
    """What the conditional fields of a GET or HEAD say, in the order of RFC 9110, 13.2.2.

    `headers` has lower-case names. `modified_at` is in whole Unix seconds.
    """
    match = headers.get(b"if-match")
    if match is not None:
        if not etag_matches(match, etag, weak=False):
            return "failed"
    else:
        since = http_date(headers.get(b"if-unmodified-since", b""))
        if since is not None and modified_at > since:
            return "failed"
    none_match = headers.get(b"if-none-match")
    if none_match is not None:
        return "not-modified" if etag_matches(none_match, etag, weak=True) else "send"
    since = http_date(headers.get(b"if-modified-since", b""))
    if since is not None and modified_at <= since:
        return "not-modified"
    return "send"


def range_applies(headers: dict[bytes, bytes], etag: bytes, modified_at: float) -> bool:
    """Whether the Range field counts, given If-Range (RFC 9110, 13.1.5: strong comparison, exact date)."""
    validator = headers.get(b"if-range")
    if validator is None:
        return True
    if validator.startswith((b'"', b"W/")):
        return validator == etag
    return http_date(validator) == modified_at
