"""The playback buffer: stalls dated exactly, against a simulation that looks every second."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.player.buffer import STEPS, Change, PlaybackBuffer


def buffer(*tracks: str, start_s: float = 0.0, startup_s: float = 1.0, speed: float = 1.0) -> PlaybackBuffer:
    return PlaybackBuffer(
        tracks or ("video",), start_s=start_s, startup_s=startup_s, rebuffer_s=2.0, speed=speed, now=0.0
    )


def states(changes: list[Change]) -> list[str]:
    return [change.state for change in changes]


def test_play_begins_when_enough_of_every_track_is_there() -> None:
    model = buffer("video", "audio")
    assert model.append("video", 4.0, 0.5) == []
    assert model.append("audio", 0.9, 1.0) == []
    assert states(model.append("audio", 1.9, 1.5)) == ["playing"]
    assert model.level_s == 1.9


def test_the_playhead_moves_in_real_time_from_where_the_viewer_stopped() -> None:
    model = buffer(start_s=100.0)
    model.append("video", 110.0, 1.0)
    model.advance(4.0)
    assert model.position_s == 103.0
    assert model.track_level_s("video") == 7.0


def test_a_stall_is_dated_when_the_buffer_ran_dry_however_late_somebody_looks() -> None:
    model = buffer()
    model.append("video", 4.0, 0.0)
    (stall,) = model.advance(60.0)
    assert (stall.state, stall.at, stall.lasted_s) == ("stalled", 4.0, 4.0)
    assert (model.position_s, model.stalls) == (4.0, 1)
    assert model.in_state_s == 56.0


def test_play_goes_on_only_with_the_rebuffer_threshold() -> None:
    model = buffer()
    model.append("video", 4.0, 0.0)
    assert states(model.append("video", 5.0, 10.0)) == ["stalled"]
    assert states(model.append("video", 6.0, 11.0)) == ["playing"]
    assert model.stalled_s == 7.0


def test_the_shortest_track_starves_the_playhead() -> None:
    model = buffer("video", "audio")
    model.append("video", 8.0, 0.0)
    model.append("audio", 3.0, 0.0)
    (stall,) = model.advance(5.0)
    assert stall.at == 3.0


def test_the_end_is_no_stall_and_the_longest_track_is_played_out() -> None:
    model = buffer("video", "audio")
    model.append("video", 4.0, 0.0)
    model.append("audio", 3.9, 0.0)
    model.finish("audio", 1.0)
    model.finish("video", 1.0)
    (end,) = model.advance(10.0)
    assert (end.state, end.at, model.position_s, model.stalls) == ("ended", 4.0, 4.0, 0)


def test_a_title_shorter_than_the_startup_threshold_plays() -> None:
    model = buffer(startup_s=5.0)
    model.append("video", 0.5, 0.0)
    assert states(model.finish("video", 0.0)) == ["playing"]


def test_a_title_with_nothing_left_ends() -> None:
    assert states(buffer(start_s=9.0).finish("video", 1.0)) == ["ended"]


def test_speed_empties_the_buffer_faster() -> None:
    model = buffer(speed=4.0)
    model.append("video", 4.0, 0.0)
    model.advance(0.5)
    assert model.position_s == 2.0
    (stall,) = model.advance(9.0)
    assert stall.at == 1.0


def test_time_going_back_is_a_bug() -> None:
    model = buffer()
    model.advance(5.0)
    with pytest.raises(AssertionError, match="time went back"):
        model.advance(4.0)


class EverySecond:
    """The same buffer, simulated second by second in whole numbers."""

    def __init__(self, tracks: list[str], startup_s: int, rebuffer_s: int) -> None:
        self.until = dict.fromkeys(tracks, 0)
        self.finished: set[str] = set()
        self.thresholds = {"starting": startup_s, "stalled": rebuffer_s}
        self.state, self.position, self.stalls, self.stalled_s = "starting", 0, 0, 0

    @property
    def level(self) -> int:
        open_tracks = [until for track, until in self.until.items() if track not in self.finished]
        return (min(open_tracks) if open_tracks else max(self.until.values())) - self.position

    def settle(self) -> None:
        done = len(self.finished) == len(self.until)
        if self.state in self.thresholds:
            if done and self.level <= 0:
                self.state = "ended"
            elif self.level > 0 and (done or self.level >= self.thresholds[self.state]):
                self.state = "playing"

    def starve(self) -> None:
        if self.state == "playing" and self.level <= 0:
            self.state = "ended" if len(self.finished) == len(self.until) else "stalled"
            self.stalls += self.state == "stalled"

    def second(self) -> None:
        if self.state == "stalled":
            self.stalled_s += 1
        if self.state == "playing":
            self.position += 1
            self.starve()


steps = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from(["video", "audio"]), st.integers(0, 6), st.booleans()), max_size=40
)


@given(steps, st.integers(1, 5), st.integers(1, 5), st.integers(0, 10))
def test_it_agrees_with_a_simulation_that_looks_every_second(
    happenings: list[tuple[int, str, int, bool]], startup_s: int, rebuffer_s: int, after_s: int
) -> None:
    tracks = ["video", "audio"]
    model = PlaybackBuffer(tracks, start_s=0, startup_s=startup_s, rebuffer_s=rebuffer_s, now=0)
    peer = EverySecond(tracks, startup_s, rebuffer_s)
    now = 0
    changes: list[Change] = []
    for wait_s, track, more_s, last in happenings:
        now += wait_s
        for _ in range(wait_s):
            peer.second()
        if track in peer.finished:
            continue
        peer.until[track] += more_s
        changes += model.append(track, peer.until[track], now)
        peer.settle()
        if last:
            peer.finished.add(track)
            changes += model.finish(track, now)
            peer.settle()
            peer.starve()
        assert (model.state, model.position_s, model.level_s) == (peer.state, peer.position, peer.level)
    for _ in range(after_s):
        peer.second()
    changes += model.advance(now + after_s)
    ongoing_s = model.in_state_s if model.state == "stalled" else 0
    assert (model.state, model.position_s, model.stalls) == (peer.state, peer.position, peer.stalls)
    assert model.stalled_s + ongoing_s == peer.stalled_s
    walk = ["starting", *states(changes)]
    assert all(after in STEPS[before] for before, after in pairwise(walk))
