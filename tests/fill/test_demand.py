"""Forecasts: what must hold for any history, and examples small enough to check by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control.wire import Title
from fill.demand import DAY_S, LEAST_DRAW, History, draw, forecast

MakeTitle = Callable[..., Title]
NOW = 1_000_000_000.0
NOTHING = History()


def totals(expected: dict[tuple[str, str], object]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for (title, _), each in expected.items():
        sums[title] = sums.get(title, 0.0) + each.bytes  # type: ignore[attr-defined]
    return sums


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(-5, 800), st.integers(0, 10**9), st.integers(0, 10**9)), min_size=1, max_size=8),
    st.floats(0.05, 7),
)
def test_every_rendition_is_expected_to_draw_something_and_nothing_is_negative(
    title: MakeTitle, found: list[tuple[float, int, int]], days: float
) -> None:
    titles = [title(f"t{n}", published_at=NOW - age * DAY_S) for n, (age, _, _) in enumerate(found)]
    here = History({(f"t{n}", f"v0-t{n}"): count for n, (_, count, _) in enumerate(found)}, days)
    anywhere = History({(f"t{n}", f"v0-t{n}"): count for n, (_, _, count) in enumerate(found)}, days)
    expected = forecast(titles, here, anywhere, NOW)
    assert set(expected) == {(each.id, rendition.id) for each in titles for rendition in each.renditions}
    assert all(each.bytes > 0 for each in expected.values())


def test_a_title_that_nobody_asked_for_is_expected_on_its_first_day(title: MakeTitle) -> None:
    expected = forecast([title("bunny", published_at=NOW)], NOTHING, NOTHING, NOW)
    assert totals(expected)["bunny"] == pytest.approx(title("bunny").bytes, rel=0.01)


def test_a_new_title_is_expected_to_draw_more_than_old_ones(title: MakeTitle) -> None:
    titles = [title("new", published_at=NOW), title("month", published_at=NOW - 30 * DAY_S), title("old")]
    drawn = totals(forecast(titles, NOTHING, NOTHING, NOW))
    assert drawn["new"] > drawn["month"] > drawn["old"] > 0


def test_what_viewers_here_ask_for_outweighs_what_others_ask_for(title: MakeTitle) -> None:
    titles = [title("ours"), title("theirs")]
    here = History({("ours", "v0-ours"): 10**6}, 5.0)
    anywhere = History({("ours", "v0-ours"): 10**6, ("theirs", "v0-theirs"): 10**7}, 5.0)
    drawn = totals(forecast(titles, here, anywhere, NOW))
    assert drawn["ours"] > drawn["theirs"]


def test_what_viewers_elsewhere_ask_for_is_expected_where_nobody_asked_yet(title: MakeTitle) -> None:
    titles = [title("hit"), title("flop")]
    drawn = totals(forecast(titles, NOTHING, History({("hit", "v0-hit"): 10**7}, 5.0), NOW))
    assert drawn["hit"] > 10 * drawn["flop"]


def test_an_old_title_goes_on_as_before_but_a_little_less(title: MakeTitle) -> None:
    here = History({("old", "v0-old"): 7 * 10**6}, 7.0)
    drawn = totals(forecast([title("old")], here, here, NOW))["old"]
    assert drawn == pytest.approx(10**6 * 0.74 ** (4 / 7), rel=0.01)


def test_the_renditions_asked_for_share_the_titles_demand(title: MakeTitle) -> None:
    here = History({("t", "v1-t"): 9 * 10**6, ("t", "a-t"): 10**6}, 2.0)
    expected = forecast([title("t")], here, here, NOW)
    total = totals(expected)["t"]
    assert expected["t", "v1-t"].bytes / total == pytest.approx(0.9, abs=0.01)
    assert expected["t", "v0-t"].bytes / total < 0.01
    assert (expected["t", "v1-t"].asked_here, expected["t", "v0-t"].asked_here) == (9 * 10**6, 0)


def test_before_anyone_asked_audio_is_worth_most_per_byte_and_high_video_more_than_low(title: MakeTitle) -> None:
    made = title("t", published_at=NOW, sizes=(3000, 1000))
    expected = forecast([made], NOTHING, NOTHING, NOW)
    plays = {each.id: expected["t", each.id].bytes / (each.bytes + each.index_bytes) for each in made.renditions}
    assert plays["a-t"] > plays["v0-t"] > plays["v1-t"]


@settings(deadline=None)
@given(st.floats(0, 10_000), st.floats(0, 100))
def test_demand_falls_with_age_after_the_first_week(age: float, later: float) -> None:
    assert draw(age + 7) >= draw(age + 7 + later) >= LEAST_DRAW


def test_no_titles_are_no_forecast() -> None:
    assert forecast([], NOTHING, NOTHING, NOW) == {}
