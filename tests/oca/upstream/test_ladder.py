"""In which order sources are asked."""

from hypothesis import given, settings
from hypothesis import strategies as st

from control.wire import Source
from oca.upstream.ladder import ladder, next_step_at

ORIGIN = Source(kind="cache", name="origin", url="http://o")
sources = st.builds(
    lambda name, at: Source(kind="cache" if name == "origin" else "peer", name=name, url="http://x", not_before=at),
    st.sampled_from(["a1", "b2", "c3", "origin"]),
    st.sampled_from([0.0, 50.0, 100.0]),
)
plans = st.lists(sources, max_size=5)


@settings(max_examples=50, deadline=None)
@given(plans, st.sampled_from([0.0, 60.0, 200.0]), st.sets(st.sampled_from(["b2", "c3"])), st.booleans())
def test_nobody_is_asked_who_asks_us_nor_twice_nor_ourselves_nor_early(planned, now, via, urgent):
    steps = ladder(planned, ORIGIN, now=now, me="a1", via=via, urgent=urgent)
    names = [step.name for step in steps]
    assert "a1" not in names
    assert not via & set(names)
    assert len(set(names)) == len(names)
    assert all(step.not_before <= now for step in steps)
    assert not urgent or "origin" in names


def test_a_fill_waits_for_its_escalation_and_a_viewer_does_not():
    peer = Source(kind="peer", name="b2", url="http://b2")
    late = Source(kind="cache", name="origin", url="http://o", not_before=100.0)
    fill = ladder([peer, late], ORIGIN, now=50.0, me="a1", via=(), urgent=False)
    viewer = ladder([peer, late], ORIGIN, now=50.0, me="a1", via=(), urgent=True)
    assert [step.name for step in fill] == ["b2"]
    assert [step.name for step in viewer] == ["b2", "origin"]
    assert next_step_at([peer, late], 50.0) == 100.0
    assert next_step_at([peer, late], 100.0) is None


def test_without_a_plan_the_origin_is_asked():
    assert ladder([], ORIGIN, now=0.0, me="a1", via=(), urgent=False) == [ORIGIN]
