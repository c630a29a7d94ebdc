"""The standard steering manifest, and what players say when they ask for one.

Pure. Sources: draft-pantos-content-steering and RFC 8216bis (HLS), ETSI TS 103 998 (DASH). Rules:

- RELOAD-URI is absolute and carries our parameters (session, client), never the player's.
- A player's odd parameter is dropped, not answered with an error: it would stop steering for the session.
- What a player says shapes nobody else's list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

from control.wire import SteeringDecision, SteeringManifest, is_name
from steering.prefixes import Address, parse_address

CONTENT_TYPE = "application/vnd.apple.steering-list"
PATHWAYS_LIMIT = 16
_DIGITS = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})?")

Protocol = Literal["hls", "dash", "none"]


@dataclass(frozen=True)
class PlayerQuery:
    """What came in the query: ours (`session`, `client`) and the player's (where it is, how fast it is there)."""

    session: str | None = None
    client: Address | None = None
    protocol: Protocol = "none"
    pathways: tuple[str, ...] = ()
    throughput_bps: int | None = None


def parse_query(items: Iterable[tuple[str, str]]) -> PlayerQuery:
    """The query's parameters as `(key, value)` pairs; the first usable value of each counts.

    >>> parse_query([("_DASH_pathway", '"a,b"'), ("_DASH_throughput", "5140000")]).pathways
    ('a', 'b')
    """
    session: str | None = None
    client: Address | None = None
    protocol: Protocol = "none"
    pathways: tuple[str, ...] = ()
    throughput: int | None = None
    for key, value in items:
        if key == "session" and session is None and is_name(value):
            session = value
        elif key == "client" and client is None:
            client = _address(value)
        elif key in ("_HLS_pathway", "_DASH_pathway") and not pathways:
            protocol, pathways = _protocol(key), _names(value)
        elif key in ("_HLS_throughput", "_DASH_throughput") and throughput is None:
            protocol, throughput = _protocol(key), _bits_per_second(value)
    return PlayerQuery(session, client, protocol, pathways, throughput)


def _protocol(key: str) -> Protocol:
    return "hls" if key.startswith("_HLS") else "dash"


def _address(value: str) -> Address | None:
    try:
        return parse_address(value)
    except ValueError:
        return None


def _names(value: str) -> tuple[str, ...]:
    """Pathway ids: one, or several joined by commas, with or without quotes around them."""
    parts = (part.strip().strip('"').strip() for part in value.split(",")[:PATHWAYS_LIMIT])
    return tuple(part for part in parts if is_name(part))


def _bits_per_second(value: str) -> int | None:
    bare = value.strip().strip('"')
    return int(float(bare)) if _DIGITS.fullmatch(bare) else None


def manifest(decision: SteeringDecision, *, base_url: str, session: str | None) -> SteeringManifest:
    """`decision` in the form that players read."""
    return SteeringManifest(
        ttl_s=decision.ttl_s,
        reload_uri=reload_uri(base_url, decision.title, session=session, client=decision.client),
        pathway_priority=tuple(pathway.pathway for pathway in decision.pathways),
    )


def reload_uri(base_url: str, title: str, *, session: str | None, client: str) -> str:
    """Where the player asks next time."""
    parameters = ({"session": session} if session else {}) | {"client": client}
    return f"{base_url.rstrip('/')}/v1/steer/{title}?{urlencode(parameters)}"
