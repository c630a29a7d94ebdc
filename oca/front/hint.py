"""What a player will ask for next, from CMCD's `nor` and `nrr`: a key to have ready, never more than a hint.

Pure. The reference is a stranger's: only an object of this host below /s/ comes out, or nothing.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

import msgspec

from oca.front.cmcd import URL_LIMIT, Cmcd
from oca.front.table import key_of

STEPS_LIMIT: Final = 32
"""Steps of a path that are followed."""

_ABSOLUTE = re.compile(rb"https?://([^/?#]*)(/[^?#]*)", re.IGNORECASE)
_RANGE = re.compile(r"(\d{1,15})-(\d{1,15})?|-(\d{1,15})", re.ASCII)


class Hint(msgspec.Struct, frozen=True):
    """The object that comes next. `first` and `last` (inclusive) are None where not told; a suffix has `first` < 0."""

    key: str
    first: int | None = None
    last: int | None = None


def hint(told: Cmcd, path: bytes, host: bytes = b"") -> Hint | None:
    """The next request after that of `path`, as the player announced it; None without a usable announcement.

    `host` is the request's own, with which an absolute reference must agree. A range without an object is of
    this one (CTA-5004).

    >>> hint(Cmcd(nor="00002.m4s"), b"/s/bunny/v720-1f/00001.m4s").key
    'bunny/v720-1f/00002.m4s'
    """
    if told.nor is None and told.nrr is None:
        return None
    target = path if told.nor is None else resolved(told.nor, path, host)
    key = key_of(target) if target is not None else None
    if key is None:
        return None
    wanted = _RANGE.fullmatch(told.nrr) if told.nrr is not None else None
    if wanted is None:
        return Hint(key) if target != path else None
    first, last, suffix = wanted.groups()
    if suffix is not None:
        return Hint(key, -int(suffix)) if int(suffix) else None
    if last is not None and int(last) < int(first):
        return None
    return Hint(key, int(first), int(last) if last is not None else None)


def resolved(reference: str, path: bytes, host: bytes) -> bytes | None:
    """The path that percent-encoded `reference` means, seen from `path` (RFC 3986, 5.2); None for another host."""
    if len(reference) > URL_LIMIT:
        return None
    target = unquote_to_bytes(reference)
    absolute = _ABSOLUTE.match(target)
    if absolute is not None:
        if not host or absolute.group(1).lower() != host.lower():
            return None
        target = absolute.group(2)
    elif target.startswith(b"//") or b":" in target.partition(b"/")[0]:
        return None
    target = target.partition(b"#")[0].partition(b"?")[0]
    if not target.startswith(b"/"):
        target = path[: path.rfind(b"/") + 1] + target
    return _without_dots(target)


def _without_dots(path: bytes) -> bytes | None:
    """`path` with its `.` and `..` carried out; None when it would climb above the root."""
    kept: list[bytes] = []
    steps = path.split(b"/", STEPS_LIMIT)
    for step in steps:
        if step == b"..":
            if len(kept) <= 1:
                return None
            kept.pop()
        elif step != b".":
            kept.append(step)
    return b"/".join(kept)
