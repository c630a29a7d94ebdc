"""Ranking: in which order a client should try the appliances, with a reason for every place.

Pure: no clock, no fleet, no I/O; the same candidates in any order give the same ranking. In order of weight:

1. An appliance near its capacity sheds a share of its clients, growing with its load; they try it last.
2. The longest prefix that covers the client is nearest.
3. Who holds the title: complete, in part, not at all.
4. Weighted rendezvous hashing on the title, so that a cluster's appliances share titles in proportion to
   their capacity, every client of a title meets the same appliance, and a death moves nobody else.

The origin is always last, and always there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import xxhash

from control.wire import RankedPathway, RejectedPathway

Holds = Literal["complete", "partial", "none"]
_HOLDS_ORDER: dict[Holds, int] = {"complete": 0, "partial": 1, "none": 2}

SPILL_FROM = 0.8
"""Load at which an appliance begins to shed clients; at 1.0 it sheds all."""


@dataclass(frozen=True)
class Candidate:
    """An appliance that serves the client. `unusable` is the reason why it cannot be used now, or empty."""

    name: str
    url: str
    cluster: str
    prefix: str
    prefix_bits: int
    share: float
    load: float
    capacity_bps: int
    unusable: str = ""
    health: str = ""

    @property
    def holds(self) -> Holds:
        """How much of the title it holds."""
        return "complete" if self.share >= 1 else "partial" if self.share > 0 else "none"


@dataclass(frozen=True)
class Ranking:
    """Pathways best first, the origin last; and who was left out, with reasons."""

    pathways: tuple[RankedPathway, ...]
    rejected: tuple[RejectedPathway, ...]


def rank(candidates: Iterable[Candidate], *, title: str, client: str, origin: RankedPathway) -> Ranking:
    """Order `candidates` for one client and title. `client` is the session or address that decides who is shed."""
    usable: list[tuple[tuple[object, ...], Candidate, bool]] = []
    rejected: list[RejectedPathway] = []
    for candidate in candidates:
        if candidate.unusable:
            rejected.append(RejectedPathway(pathway=candidate.name, reason=candidate.unusable))
            continue
        shed = is_shed(candidate, client)
        usable.append((_key(candidate, title, shed=shed), candidate, shed))
    usable.sort(key=lambda entry: entry[0])
    return Ranking(
        (*(_pathway(candidate, shed) for _, candidate, shed in usable), origin),
        tuple(sorted(rejected, key=lambda each: each.pathway)),
    )


def _key(candidate: Candidate, title: str, *, shed: bool) -> tuple[object, ...]:
    return (
        shed,
        -candidate.prefix_bits,
        _HOLDS_ORDER[candidate.holds],
        -weight(title, candidate.name, candidate.capacity_bps),
        candidate.name,
    )


def weight(title: str, name: str, capacity_bps: int) -> float:
    """Weighted rendezvous score of `name` for `title`: the highest of a cluster gets it.

    With w / -ln(u), u uniform in (0, 1), the chance to be highest is proportional to w
    (Schindelhauer and Schomaker, "Weighted Distributed Hash Tables", 2005).
    """
    return max(capacity_bps, 1) / -math.log(unit_hash(title, name))


def is_shed(candidate: Candidate, client: str) -> bool:
    """Whether `client` is among those that `candidate` sheds at its present load."""
    share = (candidate.load - SPILL_FROM) / (1 - SPILL_FROM)
    return share > 0 and unit_hash(client, candidate.name) < share


def unit_hash(*parts: str) -> float:
    """A number in (0, 1) that depends on `parts` alone, evenly spread."""
    return ((xxhash.xxh3_64_intdigest("\0".join(parts).encode()) >> 12) + 0.5) / 2**52  # 52 bits: exact in a double


def _pathway(candidate: Candidate, shed: bool) -> RankedPathway:
    return RankedPathway(
        pathway=candidate.name, kind="appliance", url=candidate.url, reasons=tuple(_reasons(candidate, shed))
    )


def _reasons(candidate: Candidate, shed: bool) -> Iterable[str]:
    yield f"serves {candidate.prefix}"
    yield {
        "complete": "holds all of the title",
        "partial": f"holds {math.ceil(candidate.share * 100 - 1)} % of the title",
        "none": "holds nothing of the title",
    }[candidate.holds]
    yield f"load {candidate.load:.0%}" + (", sheds this client" if shed else "")
    if candidate.health and candidate.health != "alive":
        yield candidate.health
