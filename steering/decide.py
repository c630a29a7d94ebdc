"""One steering decision: from the fleet's view to ranked pathways, their time to live and why.

Pure: the decision's id, both times and the rules are arguments. Ranking itself is in `rank.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from control.wire import RankedPathway, RejectedPathway, SteeringDecision
from steering.fleet import Appliance, Fleet
from steering.prefixes import Address, Match
from steering.rank import Candidate, rank

ELSEWHERE_LIMIT = 64
"""At most so many appliances are named as not serving the client, however large the fleet."""


@dataclass(frozen=True)
class Terms:
    """What every decision of this service has in common. Times to live in seconds."""

    origin: RankedPathway
    ttl_s: int
    degraded_ttl_s: int
    warm_up_s: float


@dataclass(frozen=True)
class Asked:
    """Who asks for what. `spread` decides which clients a loaded appliance sheds: the session, or the address."""

    client: Address
    title: str
    spread: str


def decide(
    fleet: Fleet, asked: Asked, terms: Terms, *, decision_id: str, now: float, at: float
) -> tuple[SteeringDecision, tuple[str, ...]]:
    """The decision, and what is wrong that made its time to live short (nothing: it is the normal one).

    `now` is monotonic, as in the fleet's view; `at` is Unix seconds.
    """
    matches = fleet.matches(asked.client)
    candidates = list(_candidates(fleet, matches, asked.title, now))
    ranking = rank(candidates, title=asked.title, client=asked.spread, origin=terms.origin)
    troubles = tuple(_troubles(fleet, candidates, terms, now))
    decision = SteeringDecision(
        id=decision_id,
        at=at,
        client=str(asked.client),
        title=asked.title,
        ttl_s=min(terms.degraded_ttl_s, terms.ttl_s) if troubles else terms.ttl_s,
        pathways=ranking.pathways,
        rejected=ranking.rejected + tuple(islice(_elsewhere(fleet, matches, asked.client), ELSEWHERE_LIMIT)),
    )
    return decision, troubles


def _candidates(fleet: Fleet, matches: dict[str, Match], title: str, now: float) -> Iterator[Candidate]:
    for name, match in matches.items():
        appliance = fleet.find(name)
        assert appliance is not None, f"{name} announces {match.prefix} and is not in the view"
        yield candidate(fleet, appliance, match, title, now)


def candidate(fleet: Fleet, appliance: Appliance, match: Match, title: str, now: float) -> Candidate:
    """`appliance` as ranking sees it, for a client that its prefix `match` covers."""
    beat = appliance.heartbeat
    assert beat is not None, f"{appliance.name} serves {match.prefix} without a heartbeat"
    standing = fleet.standing(appliance, now)
    return Candidate(
        name=appliance.name,
        url=beat.url,
        cluster=beat.cluster,
        prefix=match.prefix,
        prefix_bits=match.bits,
        share=appliance.holdings.share(title),
        load=appliance.load,
        capacity_bps=beat.capacity_bps,
        unusable="" if standing.usable else standing.words,
        health=standing.words,
    )


def _troubles(fleet: Fleet, candidates: list[Candidate], terms: Terms, now: float) -> Iterator[str]:
    """What makes this client's list likely to change soon: a short time to live lets its player hear of it."""
    if now - fleet.started_at < terms.warm_up_s:
        yield f"steering started {now - fleet.started_at:.0f} s ago and is still hearing from the fleet"
    if all(each.unusable for each in candidates):
        yield "no appliance can serve this client now"
    for each in candidates:
        appliance = fleet.find(each.name)
        assert appliance is not None, each
        trouble = fleet.trouble(appliance, now)
        if trouble:
            yield trouble


def _elsewhere(fleet: Fleet, matches: dict[str, Match], client: Address) -> Iterator[RejectedPathway]:
    for appliance in fleet:
        if appliance.name not in matches:
            standing = "none of its prefixes covers" if appliance.networks else "it announces no prefix for"
            yield RejectedPathway(pathway=appliance.name, reason=f"{standing} {client}")
