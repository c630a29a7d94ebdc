"""Which pathways a session lists, and what stands in for a decision that steering did not give. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from control.wire import RankedPathway

NETWORK_BITS = {4: 24, 6: 48}
"""Clients that share so many leading bits share their last known decision."""


@dataclass(frozen=True)
class Remembered:
    """A decision that steering gave earlier, for `network` and `title`."""

    id: str
    network: str
    title: str
    at: float
    pathways: tuple[RankedPathway, ...]


@dataclass(frozen=True)
class Chosen:
    """The pathways of a session and the decision they come from. `steered`: steering gave it just now."""

    decision: str
    pathways: tuple[RankedPathway, ...]
    steered: bool


NO_DECISION = "none"


def client_address(text: str) -> str:
    """A client's address in its shortest form. Raises ValueError.

    >>> client_address("::ffff:10.0.0.1"), client_address("FD00:0::1")
    ('10.0.0.1', 'fd00::1')
    """
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        address = ipaddress.IPv6Address(int(address))  # without a zone, which means nothing elsewhere
    return str(address)


def network_of(client: str) -> str:
    """The network whose clients are steered alike.

    >>> network_of("10.1.2.3"), network_of("fd00:1:2:3::9")
    ('10.1.2.0/24', 'fd00:1:2::/48')
    """
    address = ipaddress.ip_address(client)
    return str(ipaddress.ip_network((address, NETWORK_BITS[address.version]), strict=False))


def listed(pathways: Sequence[RankedPathway], origin: RankedPathway, *, limit: int) -> tuple[RankedPathway, ...]:
    """At most `limit` pathways in their order, each once, and the origin last."""
    last = next((pathway for pathway in pathways if pathway.kind == "origin"), origin)
    found: dict[str, RankedPathway] = {}
    for pathway in pathways:
        if pathway.kind != "origin" and pathway.pathway != last.pathway:
            found.setdefault(pathway.pathway, pathway)
    return (*list(found.values())[: limit - 1], last)


def stand_in(
    remembered: Sequence[Remembered], origin: RankedPathway, *, network: str, title: str, now: float, limit: int
) -> Chosen:
    """What to list while steering is silent: the nearest earlier decision, else the origin alone.

    Nearest: this network and title; this network, any title; this title, any network; any. The newest of equals.
    """

    def distance(each: Remembered) -> tuple[bool, bool, float]:
        return (each.network != network, each.title != title, -each.at)

    for each in sorted(remembered, key=distance):
        pathways = listed(each.pathways, origin, limit=limit)
        if len(pathways) > 1:
            age_s = max(now - each.at, 0)
            words = f"steering is silent: as decided for {each.network} and {each.title} {age_s:.0f} s ago"
            told = tuple(msgspec.structs.replace(pathway, reasons=(words,)) for pathway in pathways)
            return Chosen(decision=each.id, pathways=told, steered=False)
    alone = msgspec.structs.replace(origin, reasons=("steering is silent and no earlier decision is known",))
    return Chosen(decision=NO_DECISION, pathways=(alone,), steered=False)
