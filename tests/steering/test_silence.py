"""Silence that is believed, and silence that is not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steering.silence import Patience, fell_silent_together

PATIENCE = Patience(ttl_s=5.0, believed_share=0.15)
NOW = 100.0


@pytest.mark.parametrize(
    ("others", "together"),
    [
        ([], False),
        ([99.0], False),
        ([92.0], True),
        ([92.0] + [99.0] * 11, True),
        ([92.0] + [99.0] * 12, False),
        ([50.0] * 20, False),
        ([50.0] * 20 + [99.0], False),
    ],
)
def test_only_a_large_part_falling_silent_at_the_same_time_is_not_believed(others: list[float], together: bool) -> None:
    assert fell_silent_together(90.0, others, NOW, PATIENCE) is together


@settings(deadline=None)
@given(st.lists(st.floats(0, NOW), max_size=30), st.floats(0, NOW - 6))
def test_the_order_of_appliances_does_not_matter(others: list[float], heard: float) -> None:
    backwards = fell_silent_together(heard, reversed(others), NOW, PATIENCE)
    assert fell_silent_together(heard, others, NOW, PATIENCE) == backwards
