"""What a session lists, with steering and without."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.playback.pathways import NO_DECISION, Remembered, client_address, listed, network_of, stand_in
from control.wire import RankedPathway

ORIGIN = RankedPathway(pathway="origin", kind="origin", url="http://origin.test:8200")
PATHWAYS = st.lists(
    st.builds(
        RankedPathway,
        pathway=st.sampled_from(["a", "b", "c", "d", "e", "origin"]),
        kind=st.sampled_from(["appliance", "origin"]),
        url=st.just("http://x.test"),
    ),
    max_size=8,
).map(tuple)
NETWORKS = ("10.0.0.0/24", "10.0.1.0/24")
MEMORIES = st.lists(
    st.builds(
        Remembered,
        id=st.sampled_from(["d1", "d2", "d3"]),
        network=st.sampled_from(NETWORKS),
        title=st.sampled_from(["bunny", "sintel"]),
        at=st.floats(0, 100),
        pathways=PATHWAYS,
    ),
    max_size=5,
)


def remembered(name, network, title, at, *appliances):
    pathways = tuple(RankedPathway(pathway=each, kind="appliance", url=f"http://{each}.test") for each in appliances)
    return Remembered(id=name, network=network, title=title, at=at, pathways=(*pathways, ORIGIN))


def chosen(memories, network="10.0.0.0/24", title="bunny"):
    return stand_in(memories, ORIGIN, network=network, title=title, now=100.0, limit=4)


@given(pathways=PATHWAYS, limit=st.integers(2, 6))
def test_a_list_has_each_pathway_once_in_its_order_and_an_origin_last(pathways, limit):
    found = listed(pathways, ORIGIN, limit=limit)
    names = [each.pathway for each in found]
    assert len(set(names)) == len(names) <= limit
    assert [each.kind == "origin" for each in found] == [False] * (len(found) - 1) + [True]
    appliances = [each for each in pathways if each.kind == "appliance" and each.pathway != names[-1]]
    assert names[:-1] == list(dict.fromkeys(each.pathway for each in appliances))[: limit - 1]


@given(memories=MEMORIES, network=st.sampled_from(NETWORKS))
def test_playback_never_lacks_a_pathway(memories, network):
    found = chosen(memories, network)
    assert found.pathways[-1].kind == "origin"
    assert not found.steered
    knows_an_appliance = any(listed(each.pathways, ORIGIN, limit=4)[:-1] for each in memories)
    assert len(found.pathways) >= 2 or not knows_an_appliance


def test_the_nearest_decision_stands_in():
    here_other = remembered("d1", "10.0.0.0/24", "sintel", 99.0, "here")
    there_same = remembered("d2", "10.0.1.0/24", "bunny", 99.0, "there")
    there_other = remembered("d3", "10.0.1.0/24", "sintel", 99.0, "far")
    here_same = remembered("d4", "10.0.0.0/24", "bunny", 1.0, "best")
    memories = [there_other, there_same, here_other, here_same]
    for expected in ("d4", "d1", "d2", "d3"):
        assert chosen(memories).decision == expected
        memories = [each for each in memories if each.id != expected]
    assert chosen(memories).decision == NO_DECISION
    assert [each.pathway for each in chosen(memories).pathways] == ["origin"]


def test_the_reasons_say_that_steering_was_silent_and_how_old_the_decision_is():
    found = chosen([remembered("d1", "10.0.0.0/24", "bunny", 65.0, "a")])
    assert found.pathways[0].reasons == ("steering is silent: as decided for 10.0.0.0/24 and bunny 35 s ago",)


@pytest.mark.parametrize("text", ["", "somewhere", "10.0.0.256", "10.0.0.1/8", "::1::"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match="does not appear to be"):
        client_address(text)


@given(address=st.ip_addresses())
def test_every_client_is_in_its_network(address):
    import ipaddress

    client = client_address(str(address))
    assert ipaddress.ip_address(client) in ipaddress.ip_network(network_of(client))
