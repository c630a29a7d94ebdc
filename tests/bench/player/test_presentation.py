"""Finding the segment for a position, whatever the cuts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bench.player.presentation import (
    GRAIN_S,
    Presentation,
    Rendition,
    Resource,
    Segment,
    SegmentIndex,
    Steering,
    resolve,
)


def index_of(durations: list[float], start_s: float = 0.0) -> SegmentIndex:
    segments = []
    for number, duration_s in enumerate(durations):
        segments.append(Segment(resource=Resource(f"{number}.m4s"), start_s=start_s, duration_s=duration_s))
        start_s += duration_s
    return SegmentIndex(tuple(segments))


def test_a_position_is_in_the_segment_that_covers_it() -> None:
    index = index_of([4.0, 4.0, 2.0])
    assert [index.at(position) for position in (0, 3.9, 4.0, 7.5, 8.0, 9.9)] == [0, 0, 1, 1, 2, 2]


def test_there_is_no_segment_at_the_end_or_beyond() -> None:
    index = index_of([4.0, 2.0])
    assert index.at(6.0) is None
    assert index.at(60.0) is None
    assert SegmentIndex(()).at(0.0) is None


def test_a_position_before_the_first_segment_and_one_in_a_gap_give_the_next_segment() -> None:
    first = Segment(resource=Resource("a"), start_s=1.0, duration_s=1.0)
    later = Segment(resource=Resource("b"), start_s=5.0, duration_s=1.0)
    index = SegmentIndex((first, later))
    assert index.at(0.0) == 0
    assert index.at(3.0) == 1


def test_a_cut_rounded_differently_does_not_repeat_the_segment_before_it() -> None:
    assert index_of([4.0004, 4.0]).at(4.0) == 1


@given(st.lists(st.floats(0.0, 20.0), max_size=40), st.floats(0, 100))
def test_following_segment_ends_visits_each_later_segment_once(durations: list[float], start_s: float) -> None:
    index = index_of(durations)
    visited: list[int] = []
    position = start_s
    while (number := index.at(position)) is not None:
        visited.append(number)
        assert index.segments[number].end_s >= position + GRAIN_S
        position = index.segments[number].end_s
        assert len(visited) <= len(durations)
    assert visited == sorted(set(visited))


def test_segments_are_found_relative_to_their_list() -> None:
    assert resolve("http://a/s/t/v/media.m3u8", Resource("00001.m4s")) == "http://a/s/t/v/00001.m4s"
    assert resolve("http://a/s/t/", Resource("v/00001.m4s")) == "http://a/s/t/v/00001.m4s"
    assert resolve("http://a/s/t/v.mp4", Resource("")) == "http://a/s/t/v.mp4"


def test_play_begins_where_steering_says_if_that_pathway_exists() -> None:
    video = (Rendition(id="v", kind="video", bandwidth_bps=1, locations={}),)
    for named, wanted in (("b", "b"), ("z", "a"), (None, "a")):
        steering = Steering(url="http://s", initial=named)
        assert Presentation(format="hls", pathways=("a", "b"), video=video, steering=steering).initial == wanted
    assert Presentation(format="hls", pathways=("a", "b"), video=video).initial == "a"
