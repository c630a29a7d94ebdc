"""Looking recent decisions up."""

from __future__ import annotations

import random

from control.wire import SteeringDecision, is_name
from steering.decisions import Decisions


def test_the_oldest_decisions_are_forgotten_beyond_the_limit() -> None:
    decisions = Decisions(2, random.Random(1))
    made = [
        SteeringDecision(id=decisions.next_id(), at=0.0, client="10.0.0.1", title="t", ttl_s=1, pathways=())
        for _ in range(3)
    ]
    for each in made:
        decisions.keep(each)
    assert [decisions.find(each.id) for each in made] == [None, made[1], made[2]]
    assert len(decisions) == 2


def test_ids_are_names_and_differ_between_lives() -> None:
    one, other = Decisions(1, random.Random(1)), Decisions(1, random.Random(2))
    ids = {one.next_id(), one.next_id(), other.next_id()}
    assert len(ids) == 3
    assert all(is_name(each) for each in ids)
