"""Which pathway next: steering's order, failures remembered, and no way back without steering."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bench.player.failover import FailureKind, Pathways
from bench.player.limits import PlayerLimits

LIMITS = PlayerLimits(penalty_s=10, missing_objects=2)


def pathways(initial: str = "a") -> Pathways:
    return Pathways(("a", "b", "origin"), initial, LIMITS)


def test_play_begins_on_the_initial_pathway_with_the_others_behind_it() -> None:
    assert pathways("b").order() == ("b", "a", "origin")


def test_new_requests_follow_steering() -> None:
    model = pathways()
    model.steered(("b", "a", "origin"), 1.0)
    assert model.current == "b"


def test_pathways_that_steering_leaves_out_are_the_last_resort() -> None:
    model = pathways()
    model.steered(("origin", "b"), 1.0)
    assert model.order() == ("origin", "b", "a")


def test_a_failed_pathway_is_left_for_the_next() -> None:
    model = pathways()
    assert model.failed("a", "cut", 0.0)
    assert model.current == "b"
    assert not model.failed("a", "cut", 0.1), "it was penalised already"


def test_time_alone_never_brings_a_failed_pathway_back() -> None:
    model = pathways()
    model.failed("a", "timeout", 0.0)
    assert model.current == "b"
    model.steered(("a", "b", "origin"), 9.0)
    assert model.current == "b", "the penalty still holds"


def test_steering_brings_it_back_after_the_penalty() -> None:
    model = pathways()
    model.failed("a", "timeout", 0.0)
    model.steered(("a", "b", "origin"), 10.0)
    assert model.current == "a"


def test_steering_that_dropped_it_and_names_it_again_brings_it_back_at_once() -> None:
    model = pathways()
    model.failed("a", "timeout", 0.0)
    model.steered(("b", "origin"), 1.0)
    assert model.current == "b"
    model.steered(("a", "b", "origin"), 2.0)
    assert model.current == "a"


def test_a_busy_pathway_is_left_alone_as_long_as_it_asks() -> None:
    model = pathways()
    model.failed("a", "busy", 0.0, retry_after_s=60)
    model.steered(("a", "b"), 30.0)
    assert model.current == "b"
    model.steered(("a", "b"), 60.0)
    assert model.current == "a"


def test_one_missing_object_does_not_condemn_an_appliance_but_several_do() -> None:
    model = pathways()
    assert not model.failed("a", "missing", 0.0)
    assert model.current == "a"
    assert model.failed("a", "missing", 1.0)
    assert model.current == "b"


def test_when_all_have_failed_the_one_whose_penalty_ends_first_is_tried() -> None:
    model = pathways()
    for at, pathway in enumerate(("b", "origin", "a")):
        model.failed(pathway, "connect", float(at))
    assert model.order() == ("b", "origin", "a")


def test_every_pathway_gets_its_turn_once() -> None:
    model = pathways()
    tried: list[str] = []
    while (pathway := model.next_untried(tried)) is not None:
        tried.append(pathway)
    assert tried == ["a", "b", "origin"]


def test_a_list_of_strangers_is_ignored() -> None:
    model = pathways()
    model.steered(("x", "y"), 1.0)
    assert model.order() == ("a", "b", "origin")


kinds = st.sampled_from(["connect", "timeout", "slow", "cut", "missing", "busy", "server", "corrupt", "length"])
happenings = st.lists(
    st.one_of(
        st.tuples(st.just("fail"), st.sampled_from("abcd"), kinds),
        st.tuples(st.just("steer"), st.lists(st.sampled_from("abcdx"), max_size=5), st.just("")),
    ),
    max_size=40,
)


@given(happenings, st.lists(st.floats(0, 8), min_size=40, max_size=40))
def test_every_pathway_is_always_in_the_order_once_and_good_ones_come_first(
    story: list[tuple[str, str | list[str], FailureKind]], waits: list[float]
) -> None:
    model = Pathways(tuple("abcd"), "a", LIMITS)
    now = 0.0
    for (what, who, kind), wait_s in zip(story, waits, strict=False):
        now += wait_s
        before = {pathway for pathway in "abcd" if model.penalised(pathway)}
        if what == "fail":
            assert isinstance(who, str)
            new = model.failed(who, kind, now)
            assert new == (model.penalised(who) and who not in before)
        else:
            model.steered(tuple(who), now)
            assert {pathway for pathway in "abcd" if model.penalised(pathway)} <= before
        order = model.order()
        assert sorted(order) == list("abcd")
        standing = [model.penalised(pathway) for pathway in order]
        assert standing == sorted(standing)
        assert model.current == order[0]
