"""The plans of one cluster as appliances get them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control.wire import FillPlan, Title, decode, encode
from fill.demand import History, Key
from fill.members import Held
from fill.placement import Policy
from fill.plan import Job, Machine, Terms, plan_cluster, supersedes
from fill.window import rule_of

MakeTitle = Callable[..., Title]
NOW = 1_000_000_000.0
RULE = rule_of("00:00", "00:00", "UTC")


def job(titles: list[Title], machines: list[Machine], **changes: Any) -> Job:
    values: dict[str, Any] = {
        "cluster": "north-a",
        "here": History(),
        "anywhere": History(),
        "pinned": frozenset(),
        "protected": frozenset(),
        "terms": Terms("origin", "http://origin.test", 600.0, Policy()),
        "now": NOW,
    }
    return Job(titles=tuple(titles), machines=tuple(machines), **(values | changes))


def machine(name: str, *, capacity: int = 10**9, held: Mapping[Key, Held] | None = None, rule: Any = RULE) -> Machine:
    return Machine(name, f"http://{name}.test", capacity, rule, held or {})


def keys(plan: FillPlan) -> set[Key]:
    return {(hold.title, hold.rendition) for hold in plan.hold}


HELD = st.dictionaries(
    st.sampled_from([(f"t{n}", r) for n in range(3) for r in (f"v0-t{n}", f"v1-t{n}", f"a-t{n}")] + [("gone", "v")]),
    st.builds(Held, st.integers(1, 3000), st.booleans()),
    max_size=6,
)
MACHINES = st.lists(
    st.builds(
        lambda n, capacity, held: machine(f"a{n}", capacity=capacity, held=held),
        st.integers(0, 9),
        st.integers(0, 20_000),
        HELD,
    ),
    max_size=4,
    unique_by=lambda each: each.name,
)


@settings(deadline=None)
@given(MACHINES, st.dictionaries(st.sampled_from(["t0", "t1", "t2"]), st.integers(0, 10**7)))
def test_every_plan_fits_has_one_master_per_rendition_and_sources_for_all(
    title: MakeTitle, machines: list[Machine], asked: dict[str, int]
) -> None:
    titles = [title(f"t{n}", published_at=NOW - n * 86_400) for n in range(3)]
    here = History({(name, f"v0-{name}"): count for name, count in asked.items()}, 2.0)
    made = plan_cluster(job(titles, machines, here=here, anywhere=here))
    assert set(made.plans) == {each.name for each in machines}
    masters: dict[Key, list[str]] = {}
    for each in machines:
        plan = made.plans[each.name]
        assert decode(encode(plan), FillPlan) == plan
        assert sum(hold.bytes + hold.index_bytes for hold in plan.hold) <= each.capacity_bytes
        assert not keys(plan) & {(evict.title, evict.rendition) for evict in plan.evict}
        for hold in plan.hold:
            assert hold.sources[-1].kind == "cache"
            assert hold.reason
            if hold.master:
                masters.setdefault((hold.title, hold.rendition), []).append(each.name)
                assert len(hold.sources) == 1
                assert hold.sources[0].not_before == 0
            else:
                assert hold.sources[-1].not_before == NOW + 600
                assert [source.kind for source in hold.sources[:-1]] == ["peer"] * (len(hold.sources) - 1)
    assert set(masters) == {key for plan in made.plans.values() for key in keys(plan)}
    assert all(len(found) == 1 for found in masters.values())
    for plan in made.plans.values():
        for hold in plan.hold:
            if not hold.master:
                assert [hold.sources[0].name] == masters[hold.title, hold.rendition]


@settings(deadline=None)
@given(MACHINES)
def test_the_same_job_gives_the_same_ids_and_supersedes_nothing(title: MakeTitle, machines: list[Machine]) -> None:
    titles = [title(f"t{n}") for n in range(3)]
    one = plan_cluster(job(titles, machines)).plans
    other = plan_cluster(job(titles[::-1], machines[::-1], now=NOW + 60)).plans
    for name, plan in one.items():
        assert plan.id == other[name].id
        assert not supersedes(other[name], plan)


def test_a_single_title_that_nobody_asked_for_is_planned_for_all_with_room_and_fetched_once_from_the_origin(
    title: MakeTitle,
) -> None:
    made = plan_cluster(job([title("bunny")], [machine("a1"), machine("a2"), machine("tiny", capacity=5)]))
    assert (
        keys(made.plans["a1"]) == keys(made.plans["a2"]) == {("bunny", r) for r in ("v0-bunny", "v1-bunny", "a-bunny")}
    )
    assert made.plans["tiny"].hold == ()
    far = [hold for plan in made.plans.values() for hold in plan.hold if hold.sources[0].kind == "cache"]
    assert len(far) == 3


def test_a_new_member_copies_from_who_holds_everything_and_the_origin_is_left_alone(title: MakeTitle) -> None:
    made = title("bunny")
    held = {("bunny", each.id): Held(each.bytes + each.index_bytes, True) for each in made.renditions}
    plans = plan_cluster(job([made], [machine("a1", held=held), machine("a2")])).plans
    assert all(hold.master for hold in plans["a1"].hold)
    assert all([s.name for s in hold.sources] == ["a1", "origin"] for hold in plans["a2"].hold)
    assert all("held already" in hold.reason for hold in plans["a1"].hold)


def test_escalation_counts_from_when_the_window_opens(title: MakeTitle) -> None:
    night = rule_of("02:00", "04:00", "UTC")
    plans = plan_cluster(job([title("bunny")], [machine("a1", rule=night), machine("a2", rule=night)])).plans
    for plan in plans.values():
        assert plan.window.start > NOW
        for hold in plan.hold:
            assert hold.master or hold.sources[-1].not_before == plan.window.start + 600


def test_progress_and_forecasts_are_no_reason_for_a_new_plan_but_new_wishes_are(title: MakeTitle) -> None:
    machines, bunny = [machine("a1", held={("gone", "v"): Held(9, True)}), machine("a2")], title("bunny")
    before = plan_cluster(job([bunny], machines)).plans["a1"]
    assert [(evict.title, evict.reason) for evict in before.evict] == [("gone", "not in the catalog")]
    half = {("bunny", "v0-bunny"): Held(1500, False)}
    asked = History({("bunny", "v1-bunny"): 10**6}, 1.0)
    later = plan_cluster(job([bunny], [machine("a1", held=half), machine("a2")], here=asked, now=NOW + 60)).plans["a1"]
    assert later != before
    assert not supersedes(later, before)
    assert supersedes(plan_cluster(job([bunny, title("new")], machines)).plans["a1"], before)
    assert supersedes(plan_cluster(job([bunny], machines[:1])).plans["a1"], before)
    assert supersedes(plan_cluster(job([bunny], machines, now=NOW + 86_400)).plans["a1"], before)
    assert supersedes(
        plan_cluster(job([bunny], machines, pinned=frozenset({("bunny", "a-bunny")}))).plans["a1"], before
    )
    assert supersedes(before, None)
    assert supersedes(before, msgspec.structs.replace(before, evict=()))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "nobody asked yet: expected by its age"),
        ({"anywhere": History({("t", "v0-t"): 2_000_000}, 1.0)}, "viewers elsewhere took 2 MB"),
        ({"here": History({("t", "v0-t"): 5_000}, 2.0)}, "viewers here took 5 kB in 2.0 days"),
        ({"pinned": frozenset({("t", "v0-t")})}, "pinned; nobody asked yet: expected by its age"),
    ],
)
def test_every_line_says_what_it_rests_on(title: MakeTitle, changes: dict[str, Any], reason: str) -> None:
    plan = plan_cluster(job([title("t")], [machine("a1")], **changes)).plans["a1"]
    found = next(hold for hold in plan.hold if hold.rendition == "v0-t")
    assert (found.reason, found.pinned) == (reason, "pinned" in changes)
