from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.ingest.encode import SEGMENT_S, Effort, graph_of, group_of_pictures
from origin.ingest.ladder import LADDER, Size
from origin.ingest.probe import STEADY_RATES
from origin.ingest.scenes import demo_feed


@pytest.mark.parametrize("rate", STEADY_RATES)
def test_groups_of_pictures_are_never_shorter_than_a_segment_so_the_packager_cuts_at_each(rate: Fraction) -> None:
    lasts = group_of_pictures(rate) / rate
    assert SEGMENT_S <= lasts < SEGMENT_S + 1 / rate


@given(st.integers(3, 5000), st.booleans())
def test_the_scenes_share_all_frames_of_the_demo(frames: int, film: bool) -> None:
    feed = demo_feed(Path("/clip.mp4") if film else None, Path("/counter"), Size(1280, 720), frames)
    shares = [int(part.split(",")[0]) for part in feed.graph.split("trim=end_frame=")[1:]]
    assert sum(shares) == frames
    assert max(shares) - min(shares) <= 1
    assert feed.duration_s == frames / 25
    assert len(shares) == (3 if film else 2)


def test_every_rung_gets_its_own_branch_of_the_picture() -> None:
    graph = graph_of(demo_feed(None, Path("/counter"), Size(1280, 720), 100), LADDER)
    assert "[picture]split=3[for_v360p][for_v480p][for_v720p]" in graph
    assert all(f"[{rung.name}]" in graph for rung in LADDER)


def test_the_time_limit_grows_with_the_media_unless_it_is_set() -> None:
    assert Effort().limit_s(60) == 1320
    assert Effort(time_limit_s=5).limit_s(60) == 5
