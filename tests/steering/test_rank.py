"""The order of pathways: invariants, and each criterion by itself."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control.wire import RankedPathway
from steering.rank import Candidate, Ranking, rank, unit_hash

ORIGIN = RankedPathway(pathway="origin", kind="origin", url="http://origin.test")
BOX = Candidate(
    name="a1",
    url="http://a1.test",
    cluster="north-a",
    prefix="10.0.0.0/8",
    prefix_bits=8,
    share=1.0,
    load=0.1,
    capacity_bps=10**10,
)
CANDIDATES = st.lists(
    st.builds(
        replace,
        st.just(BOX),
        name=st.integers(0, 50).map("a{}".format),
        prefix_bits=st.sampled_from([8, 16, 24]),
        share=st.sampled_from([0.0, 0.5, 1.0]),
        load=st.floats(0, 1.2),
        capacity_bps=st.sampled_from([0, 10**9, 10**10]),
        unusable=st.sampled_from(["", "", "dead"]),
    ),
    max_size=12,
    unique_by=lambda each: each.name,
)


def ranked(candidates: list[Candidate], title: str = "bunny", client: str = "s1") -> Ranking:
    return rank(candidates, title=title, client=client, origin=ORIGIN)


def names(ranking: Ranking) -> list[str]:
    return [pathway.pathway for pathway in ranking.pathways]


@settings(deadline=None)
@given(CANDIDATES, st.randoms(use_true_random=False))
def test_the_ranking_does_not_depend_on_the_order_of_candidates(
    candidates: list[Candidate], rng: random.Random
) -> None:
    shuffled = candidates[:]
    rng.shuffle(shuffled)
    assert ranked(shuffled) == ranked(candidates)


@settings(deadline=None)
@given(CANDIDATES)
def test_everyone_is_ranked_or_rejected_once_and_the_origin_is_last(candidates: list[Candidate]) -> None:
    ranking = ranked(candidates)
    assert names(ranking)[-1] == "origin"
    rejected = [each.pathway for each in ranking.rejected]
    assert sorted(names(ranking)[:-1] + rejected) == sorted(each.name for each in candidates)
    assert set(rejected) == {each.name for each in candidates if each.unusable}
    assert all(pathway.reasons for pathway in ranking.pathways[:-1])


@settings(deadline=None)
@given(CANDIDATES, st.data())
def test_a_death_changes_nobody_elses_order(candidates: list[Candidate], data: st.DataObject) -> None:
    if not candidates:
        return
    victim = data.draw(st.sampled_from(candidates))
    dead = [replace(each, unusable="dead") if each is victim else each for each in candidates]
    assert names(ranked(dead)) == [name for name in names(ranked(candidates)) if name != victim.name]


def test_the_longer_prefix_goes_before_what_is_held() -> None:
    near = replace(BOX, name="near", prefix_bits=16, share=0.0)
    far = replace(BOX, name="far", prefix_bits=8, share=1.0)
    assert names(ranked([far, near])) == ["near", "far", "origin"]


def test_all_of_the_title_goes_before_a_part_and_a_part_before_nothing() -> None:
    boxes = [replace(BOX, name=name, share=share) for name, share in (("none", 0.0), ("part", 0.5), ("all", 1.0))]
    assert names(ranked(boxes)) == ["all", "part", "none", "origin"]


def test_a_full_appliance_is_tried_last_but_still_before_the_origin() -> None:
    boxes = [replace(BOX, name="full", load=1.0), replace(BOX, name="far", prefix_bits=4, share=0.0)]
    ranking = ranked(boxes)
    assert names(ranking) == ["far", "full", "origin"]
    assert "load 100%, sheds this client" in ranking.pathways[1].reasons


def test_a_loaded_appliance_sheds_clients_in_proportion_to_its_load() -> None:
    boxes = [replace(BOX, name="loaded", load=0.9, prefix_bits=16), replace(BOX, name="other")]
    firsts = Counter(names(ranked(boxes, client=f"s{number}"))[0] for number in range(2000))
    assert firsts["other"] == pytest.approx(1000, abs=100)


def test_a_cluster_shares_titles_in_proportion_to_capacity() -> None:
    boxes = [replace(BOX, name="big", capacity_bps=30), replace(BOX, name="small", capacity_bps=10)]
    firsts = Counter(names(ranked(boxes, title=f"t{number}"))[0] for number in range(4000))
    assert firsts["big"] == pytest.approx(3000, abs=150)


def test_every_client_of_a_title_meets_the_same_appliance() -> None:
    boxes = [replace(BOX, name=f"a{number}") for number in range(4)]
    assert len({names(ranked(boxes, client=f"s{number}"))[0] for number in range(100)}) == 1


def test_reasons_say_which_prefix_how_much_is_held_and_the_load() -> None:
    (pathway, _) = ranked([replace(BOX, share=0.999, health="suspect: 1 of 2")]).pathways
    assert pathway.reasons == ("serves 10.0.0.0/8", "holds 99 % of the title", "load 10%", "suspect: 1 of 2")


@settings(deadline=None)
@given(st.text(), st.text())
def test_a_unit_hash_is_strictly_between_0_and_1(one: str, other: str) -> None:
    assert 0 < unit_hash(one, other) < 1
