"""From whom each appliance fetches a rendition: fill masters, peers, and when the origin may be asked.

Pure. Open Connect's words: one *fill master* per rendition and cluster fetches from the origin (*cache
fill*), the others copy from it (*peer fill*), and go to the origin themselves only after the *escalation*
time. So a rendition crosses the far link once per cluster, and a dead master delays nobody for long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from control.wire import Source
from fill.hashing import ranked

OTHER_PEERS = 2
"""Complete holders named after the master, at most."""


@dataclass(frozen=True)
class Peer:
    """A live member of a cluster that should hold the rendition. `complete`: it holds all of it already."""

    name: str
    url: str
    complete: bool = False


@dataclass(frozen=True)
class Far:
    """The origin, and from when on it may be asked by those who are not master (Unix seconds)."""

    name: str
    url: str
    escalate_at: float


def master_of(subject: str, peers: Sequence[Peer]) -> str | None:
    """The fill master of `subject` (`title/rendition`) among `peers`; None when there are none.

    Who holds everything already goes first.

    >>> master_of("bunny/v1", [Peer("a", "http://a"), Peer("b", "http://b", complete=True)])
    'b'
    """
    able = [peer for peer in peers if peer.complete] or list(peers)
    order = ranked(subject, {peer.name: 1.0 for peer in able})
    return order[0] if order else None


@dataclass(frozen=True)
class Sharing:
    """How a cluster shares one rendition: its master, and further members that hold all of it, best first."""

    master: Peer
    holders: tuple[Peer, ...]


def share(subject: str, peers: Sequence[Peer]) -> Sharing:
    """How `peers` (at least one) share `subject`."""
    master = master_of(subject, peers)
    by_name = {peer.name: peer for peer in peers}
    complete = {peer.name: 1.0 for peer in peers if peer.complete and peer.name != master}
    assert master is not None, f"{subject} is shared by nobody"
    return Sharing(by_name[master], tuple(by_name[name] for name in ranked(subject, complete)))


def sources_of(appliance: str, sharing: Sharing, origin: Far) -> tuple[Source, ...]:
    """Where `appliance`, one of the peers, fetches from, best first."""
    if sharing.master.name == appliance:
        return (Source(kind="cache", name=origin.name, url=origin.url),)
    others = [peer for peer in sharing.holders if peer.name != appliance][:OTHER_PEERS]
    near = [Source(kind="peer", name=peer.name, url=peer.url) for peer in (sharing.master, *others)]
    far = Source(kind="cache", name=origin.name, url=origin.url, not_before=origin.escalate_at)
    return (*near, far)
