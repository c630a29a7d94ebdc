"""Rendezvous hashing."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fill.hashing import ranked

MEMBERS = st.dictionaries(st.sampled_from([f"a{n}" for n in range(20)]), st.floats(0, 1e15), max_size=10)


@settings(deadline=None)
@given(st.text(), MEMBERS, st.data())
def test_a_loss_changes_nobody_elses_order(subject: str, members: dict[str, float], data: st.DataObject) -> None:
    order = ranked(subject, members)
    assert sorted(order) == sorted(members)
    if members:
        lost = data.draw(st.sampled_from(order))
        rest = {name: weight for name, weight in members.items() if name != lost}
        assert ranked(subject, rest) == [name for name in order if name != lost]


def test_the_first_is_drawn_in_proportion_to_weight() -> None:
    firsts = Counter(ranked(f"t{number}", {"big": 3.0, "small": 1.0})[0] for number in range(4000))
    assert firsts["big"] == pytest.approx(3000, abs=150)
