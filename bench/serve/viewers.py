"""Viewers: sessions that watch, each asking for a segment every few seconds with adaptive bit rates.

A session is a pure model made of the player's own rule and buffer; the loop below gives it a connection.
The same seed gives the same arrivals.
"""

from __future__ import annotations

import heapq
import random
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from bench.player import abr
from bench.player.buffer import PlaybackBuffer
from bench.player.limits import PlayerLimits
from bench.serve.cells import KIB, MIB
from bench.serve.connections import Link, Pool
from bench.serve.outcome import Outcome

SEGMENT_S = 4.0
RUNG_BYTES = (256 * KIB, MIB, 4 * MIB)
"""A segment of each rung: 0.5, 2.1 and 8.4 Mbit/s."""
LADDER = tuple(round(size * 8 / SEGMENT_S) for size in RUNG_BYTES)
LIMITS = PlayerLimits(buffer_goal_s=2 * SEGMENT_S)
"""Two segments ahead: after the first two a viewer asks for one every four seconds."""
TRACK = "video"
POLL_S = 0.25


class Session:
    """One viewer. Times are monotonic seconds."""

    def __init__(self, now: float) -> None:
        self._began = now
        self._throughput = abr.Throughput(LIMITS)
        self._buffer = PlaybackBuffer(
            (TRACK,), start_s=0.0, startup_s=LIMITS.startup_s, rebuffer_s=LIMITS.rebuffer_s, now=now
        )
        self.rungs: list[int] = []
        self.startup_s: float | None = None
        """From arrival to play; None before."""

    def __repr__(self) -> str:
        return f"<Session {self._buffer!r}, {len(self.rungs)} segments>"

    @property
    def stalls(self) -> int:
        """How often play stopped for want of media."""
        return self._buffer.stalls

    @property
    def played_s(self) -> float:
        """Media time played."""
        return self._buffer.position_s

    @property
    def stalled_s(self) -> float:
        """Time in stalls, the present one included."""
        return self._buffer.stalled_s + (self._buffer.in_state_s if self._buffer.state == "stalled" else 0.0)

    def choose(self, now: float) -> int:
        """The rung of the segment to ask for now."""
        self._buffer.advance(now)
        rung = abr.choose(
            LADDER,
            estimate_bps=self._throughput.estimate_bps,
            level_s=self._buffer.level_s,
            segment_s=SEGMENT_S,
            playing=self._buffer.state == "playing",
            limits=LIMITS,
        )
        self.rungs.append(rung)
        return rung

    def arrived(self, size: int, seconds: float, now: float) -> float:
        """A segment of `size` bytes came in `seconds`; when to ask for the next."""
        self._throughput.add(size, seconds)
        self._buffer.append(TRACK, self._buffer.reaches_s(TRACK) + SEGMENT_S, now)
        if self.startup_s is None and self._buffer.state == "playing":
            self.startup_s = now - self._began
        return now + max(self._buffer.level_s - (LIMITS.buffer_goal_s - SEGMENT_S), 0.0)

    def end(self, now: float) -> None:
        """Look at the playhead for the last time."""
        self._buffer.advance(now)


@dataclass(slots=True)
class Audience(Outcome):
    """What the viewers of one run lived through. `startup_s` is of those who got to see something."""

    startup_s: array[float] = field(default_factory=lambda: array("d"))
    played_s: float = 0.0
    stalled_s: float = 0.0
    stalls: int = 0
    never_started: int = 0
    rungs: list[int] = field(default_factory=lambda: [0] * len(LADDER))
    """Segments asked for of each rung."""

    @property
    def rebuffer_ratio(self) -> float:
        """Share of the time after startup that was spent waiting."""
        watched = self.played_s + self.stalled_s
        return self.stalled_s / watched if watched else 0.0

    @property
    def mean_bps(self) -> float:
        """Mean bit rate of the segments."""
        asked = sum(self.rungs)
        return sum(bps * number for bps, number in zip(LADDER, self.rungs, strict=True)) / asked if asked else 0.0

    def add_session(self, session: Session) -> None:
        """Take the end of a session into account."""
        if session.startup_s is None:
            self.never_started += 1
        else:
            self.startup_s.append(session.startup_s)
        self.played_s += session.played_s
        self.stalled_s += session.stalled_s
        self.stalls += session.stalls
        for rung in session.rungs:
            self.rungs[rung] += 1


def arrivals(number: int, seed: int) -> list[float]:
    """Seconds after the start at which each viewer comes, ascending: spread over one segment's time.

    >>> arrivals(3, seed=1) == arrivals(3, seed=1), max(arrivals(100, seed=1)) < SEGMENT_S
    (True, True)
    """
    rng = random.Random(seed)
    return sorted(rng.uniform(0.0, SEGMENT_S) for _ in range(number))


def run(
    pool: Pool, requests: Sequence[Sequence[bytes]], *, seed: int, seconds: float, monotonic: Callable[[], float]
) -> Audience:
    """Let every link of the pool be a viewer for `seconds`. `requests` are those of each rung. Raises OSError."""
    pool.fill()
    watch = _Watch(pool, requests, seed, monotonic)
    watch.run(seconds)
    return watch.audience


class _Watch:
    def __init__(
        self, pool: Pool, requests: Sequence[Sequence[bytes]], seed: int, monotonic: Callable[[], float]
    ) -> None:
        self.audience = Audience()
        self._pool = pool
        self._requests = requests
        self._monotonic = monotonic
        self._turn = count(seed)
        self._links = list(pool.links.values())
        for viewer, link in enumerate(self._links):
            link.tag = viewer
        self._sessions: list[Session | None] = [None] * len(self._links)
        self._due = [(start, viewer) for viewer, start in enumerate(arrivals(len(self._links), seed))]

    def run(self, seconds: float) -> None:
        started = self._monotonic()
        until = started + seconds
        self._due = [(started + start, viewer) for start, viewer in self._due]
        while (now := self._monotonic()) < until:
            self._ask_due(now)
            wait = min(self._due[0][0] - now if self._due else POLL_S, until - now, POLL_S)
            for link in self._pool.answers(max(wait, 0.0)):
                self._take(link)
                self._ask_due(self._monotonic())
        now = self._monotonic()
        for session in self._sessions:
            if session is not None:
                session.end(now)
                self.audience.add_session(session)
        self.audience.seconds = self._monotonic() - started
        self._pool.give_up()  # under way at the end is no failure

    def _ask_due(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            at, viewer = heapq.heappop(self._due)
            session = self._sessions[viewer]
            if session is None:
                # A viewer came when it was due, not when the client noticed.
                session = self._sessions[viewer] = Session(at)
            requests = self._requests[session.choose(now)]
            link = self._pool.ask(self._links[viewer], requests[next(self._turn) % len(requests)])
            if link is None:
                self.audience.failures += 1
                self._retry(viewer)
            else:
                link.tag = viewer
                self._links[viewer] = link

    def _take(self, link: Link) -> None:
        now, session = self._monotonic(), self._sessions[link.tag]
        if link.broken:
            self.audience.failures += 1
            if link.busy:  # else the viewer's next request opens another
                self._retry(link.tag)
            return
        assert session is not None, "an answer without a session"
        self.audience.add(link)
        due = session.arrived(link.received, now - link.asked_at, now)
        heapq.heappush(self._due, (due, link.tag))

    def _retry(self, viewer: int) -> None:
        heapq.heappush(self._due, (self._monotonic() + LIMITS.backoff_s, viewer))
