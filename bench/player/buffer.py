"""The playback buffer as a model: a playhead that moves in real time over what has been fetched.

Pure: `now` is an argument (monotonic seconds) and never goes back. No media is kept, only how far each
track reaches. The playhead starves when any track ends, so a stall is dated exactly, however seldom
somebody looks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

State = Literal["starting", "playing", "stalled", "ended"]

STEPS: dict[State, frozenset[State]] = {
    "starting": frozenset({"playing", "ended"}),
    "playing": frozenset({"stalled", "ended"}),
    "stalled": frozenset({"playing", "ended"}),
    "ended": frozenset(),
}
"""Which state may follow which."""


class Change(msgspec.Struct, frozen=True):
    """The playhead's state became `state` at `at` (monotonic seconds); `lasted_s` is how long the last one was."""

    state: State
    at: float
    lasted_s: float


class PlaybackBuffer:
    """What is fetched of each track, where the playhead is, and how often it starved."""

    def __init__(
        self,
        tracks: Iterable[str],
        *,
        start_s: float,
        startup_s: float,
        rebuffer_s: float,
        now: float,
        speed: float = 1.0,
    ) -> None:
        self._until = dict.fromkeys(tracks, start_s)
        self._finished: set[str] = set()
        self._startup_s = startup_s
        self._rebuffer_s = rebuffer_s
        self._speed = speed
        self._position_s = start_s
        self._now = now
        self._since = now
        self.state: State = "starting"
        self.stalls = 0
        self.stalled_s = 0.0
        """Time in stalls that have ended."""
        assert self._until, "a buffer has at least one track"

    def __repr__(self) -> str:
        return f"<PlaybackBuffer {self.state} at {self._position_s:.3f} s, level {self.level_s:.3f} s>"

    @property
    def position_s(self) -> float:
        """Where the playhead was when last looked at."""
        return self._position_s

    @property
    def level_s(self) -> float:
        """How much can be played without fetching more."""
        return self._playable_s - self._position_s

    @property
    def in_state_s(self) -> float:
        """How long the present state has lasted."""
        return self._now - self._since

    def track_level_s(self, track: str) -> float:
        """How far `track` is ahead of the playhead."""
        return self._until[track] - self._position_s

    def reaches_s(self, track: str) -> float:
        """Where the next segment of `track` starts."""
        return self._until[track]

    def append(self, track: str, until_s: float, now: float) -> list[Change]:
        """`track` has been fetched up to `until_s`. Returns what changed until then and thereby."""
        changes = self.advance(now)
        self._until[track] = max(self._until[track], until_s)
        return changes + self._settle()

    def finish(self, track: str, now: float) -> list[Change]:
        """`track` has no more to fetch: its end is no reason to stall."""
        changes = self.advance(now)
        self._finished.add(track)
        return changes + self._settle()

    def advance(self, now: float) -> list[Change]:
        """Move the playhead to where it is at `now`. Returns the stall or the end it ran into."""
        assert now >= self._now, f"time went back from {self._now} to {now}"
        if self.state != "playing":
            self._now = now
            return []
        dry_at = self._now + self.level_s / self._speed
        if now < dry_at:
            self._position_s += (now - self._now) * self._speed
            self._now = now
            return []
        self._position_s = self._playable_s
        self._now = dry_at
        changes = [self._become("ended" if self._all_finished else "stalled")]
        self._now = now
        return changes

    def _settle(self) -> list[Change]:
        """Begin or go on playing if there is enough."""
        if self.state not in ("starting", "stalled"):
            return []
        wanted_s = self._startup_s if self.state == "starting" else self._rebuffer_s
        if self._all_finished and self.level_s <= 0:
            return [self._become("ended")]
        if self.level_s > 0 and (self.level_s >= wanted_s or self._all_finished):
            return [self._become("playing")]
        return []

    def _become(self, state: State) -> Change:
        assert state in STEPS[self.state], f"{self.state} → {state}"
        change = Change(state, self._now, self._now - self._since)
        if self.state == "stalled":
            self.stalled_s += change.lasted_s
        if state == "stalled":
            self.stalls += 1
        self.state = state
        self._since = self._now
        return change

    @property
    def _all_finished(self) -> bool:
        return len(self._finished) == len(self._until)

    @property
    def _playable_s(self) -> float:
        """Where the first unfinished track ends; with all finished, where the longest does."""
        unfinished = [until for track, until in self._until.items() if track not in self._finished]
        return min(unfinished) if unfinished else max(self._until.values())
