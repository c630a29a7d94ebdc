"""Rendezvous hashing: everybody who knows the members agrees who is first, and a loss moves nobody else.

Pure. With weights, the chance to be first is proportional to the weight (Schindelhauer and Schomaker,
"Weighted Distributed Hash Tables", 2005).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import xxhash


def ranked(subject: str, members: Mapping[str, float]) -> list[str]:
    """The names in `members` (name → weight above 0), the one responsible for `subject` first.

    >>> ranked("bunny", {}), ranked("bunny", {"a1": 1.0})
    ([], ['a1'])
    """
    return sorted(members, key=lambda name: (-_score(subject, name, members[name]), name))


def _score(subject: str, name: str, weight: float) -> float:
    uniform = ((xxhash.xxh3_64_intdigest(f"{subject}\0{name}".encode()) >> 12) + 0.5) / 2**52
    return max(weight, 1e-9) / -math.log(uniform)
