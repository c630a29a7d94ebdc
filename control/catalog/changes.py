"""What a fresh listing of the origin asks us to do. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

WITHDRAW_SHARE = 0.5
"""A listing that lacks more than this share of the catalog is believed to be the origin's mistake, not its wish."""
WITHDRAW_FEW = 3
"""So many titles may always go, whatever their share."""


@dataclass(frozen=True)
class Changes:
    """`take`: ids to fetch. `withdraw`: ids to forget. `missing`: ids not listed, kept because they are too many."""

    take: tuple[str, ...] = ()
    withdraw: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def changes(
    known: Mapping[str, str], listed: Mapping[str, str], refused: Mapping[str, tuple[str, float]], *, now: float
) -> Changes:
    """Compare digests by title id. `refused`: id → (digest, when it may be tried again).

    >>> changes({"a": "1", "b": "1"}, {"a": "2", "c": "1"}, {}, now=0.0)
    Changes(take=('a', 'c'), withdraw=('b',), missing=())
    >>> changes({}, {"a": "1"}, {"a": ("1", 60.0)}, now=0.0)
    Changes(take=(), withdraw=(), missing=())
    """
    take = []
    for title, digest in listed.items():
        if known.get(title) == digest:
            continue
        refused_digest, again_at = refused.get(title, ("", 0.0))
        if refused_digest != digest or now >= again_at:
            take.append(title)
    gone = tuple(sorted(title for title in known if title not in listed))
    if not listed or (len(gone) > WITHDRAW_FEW and len(gone) > WITHDRAW_SHARE * len(known)):
        return Changes(take=tuple(sorted(take)), missing=gone)
    return Changes(take=tuple(sorted(take)), withdraw=gone)
