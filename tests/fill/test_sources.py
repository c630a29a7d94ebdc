"""Fill masters and ranked sources."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from fill.sources import OTHER_PEERS, Far, Peer, master_of, share, sources_of

ORIGIN = Far("origin", "http://origin.test", escalate_at=500.0)
PEERS = st.lists(
    st.builds(lambda n, complete: Peer(f"a{n}", f"http://a{n}.test", complete), st.integers(0, 30), st.booleans()),
    max_size=8,
    unique_by=lambda peer: peer.name,
)


@settings(deadline=None)
@given(st.text(), PEERS)
def test_one_member_fetches_from_the_origin_at_once_and_all_others_from_it_first(
    subject: str, peers: list[Peer]
) -> None:
    sources = {peer.name: sources_of(peer.name, share(subject, peers), ORIGIN) for peer in peers}
    masters = [name for name, found in sources.items() if found[0].kind == "cache"]
    assert masters == ([master_of(subject, peers)] if peers else [])
    for name, found in sources.items():
        assert found[-1].kind == "cache"
        assert found[-1].not_before == (0.0 if name in masters else 500.0)
        assert [source.kind for source in found[:-1]] == ["peer"] * (len(found) - 1)
        assert len(found) <= 2 + OTHER_PEERS
        assert name not in [source.name for source in found]
        if name not in masters:
            assert found[0].name == masters[0]


@settings(deadline=None)
@given(st.text(), PEERS)
def test_who_holds_everything_already_is_master(subject: str, peers: list[Peer]) -> None:
    master = next((peer for peer in peers if peer.name == master_of(subject, peers)), None)
    if any(peer.complete for peer in peers):
        assert master is not None
        assert master.complete


@settings(deadline=None)
@given(st.text(), PEERS)
def test_the_master_does_not_depend_on_the_order_of_members(subject: str, peers: list[Peer]) -> None:
    assert master_of(subject, peers) == master_of(subject, peers[::-1])


def test_a_rendition_stays_with_its_master_while_the_others_complete_theirs() -> None:
    peers = [Peer(f"a{n}", f"http://a{n}.test") for n in range(4)]
    master = master_of("t/v", peers)
    for done in range(1, 4):
        complete = {master, *(peer.name for peer in peers[:done])}
        assert master_of("t/v", [Peer(p.name, p.url, p.name in complete) for p in peers]) == master
