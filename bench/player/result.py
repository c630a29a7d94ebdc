"""What a play came to: every request, every failover, and the totals. Plain data that goes to JSON."""

from __future__ import annotations

from collections import deque
from typing import Literal

import msgspec

from bench.player.events import Snapshot
from bench.player.presentation import Format

Purpose = Literal["manifest", "playlist", "init", "media", "steering"]
Outcome = Literal["stopped", "ended", "failed"]


class RequestRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One request. Times in milliseconds, `at_ms` since play began; `error` is empty when it went well."""

    url: str
    purpose: Purpose
    pathway: str
    track: str
    at_ms: float
    status: int
    bytes: int
    ttfb_ms: float
    duration_ms: float
    error: str = ""


class FailoverRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A segment that failed on one pathway and came from another.

    `stalls`: how often the playhead starved from the failure until the segment was there.
    """

    from_pathway: str = msgspec.field(name="from")
    to_pathway: str = msgspec.field(name="to")
    at_ms: float
    position_ms: int
    track: str
    segment: int
    reason: str
    stalls: int


class SteerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Steering changed where new requests go."""

    from_pathway: str = msgspec.field(name="from")
    to_pathway: str = msgspec.field(name="to")
    at_ms: float


class PlayerResult(msgspec.Struct, frozen=True, kw_only=True):
    """One play, from `start` to `stop`.

    `ttfs_ms` (time to first segment): from sending POST /v1/playback until the first video segment is complete.
    `startup_ms`: until play began. `rendition_seconds`: media seconds of video fetched, by rendition.
    """

    title: str
    format: Format
    session: str
    outcome: Outcome
    error: str
    resume_ms: int
    position_ms: int
    position_saved: bool
    serving: str
    ttfs_ms: float | None
    startup_ms: float | None
    stalls: int
    stall_ms: float
    switches: int
    retries: int
    segments: int
    failovers: tuple[FailoverRecord, ...]
    steered: tuple[SteerRecord, ...]
    bytes_by_pathway: dict[str, int]
    segments_by_pathway: dict[str, int]
    rendition_seconds: dict[str, float]
    reports_lost: int
    requests: tuple[RequestRecord, ...]
    requests_dropped: int

    @property
    def smooth(self) -> bool:
        """Whether it played without failure and without a stall."""
        return self.outcome != "failed" and self.stalls == 0


class Tally:
    """The totals of one play while it runs."""

    def __init__(self, requests_kept: int) -> None:
        self.requests: deque[RequestRecord] = deque(maxlen=requests_kept)
        self.requests_made = 0
        self.failovers: list[FailoverRecord] = []
        self.steered: list[SteerRecord] = []
        self.bytes_by_pathway: dict[str, int] = {}
        self.segments_by_pathway: dict[str, int] = {}
        self.rendition_seconds: dict[str, float] = {}
        self.segments = 0
        self.switches = 0
        self.retries = 0
        self.ttfs_ms: float | None = None
        self.startup_ms: float | None = None
        self.serving = ""

    def __repr__(self) -> str:
        return f"<Tally {self.segments} segments, {self.retries} retries, serving {self.serving or 'none'}>"

    def request(self, record: RequestRecord) -> None:
        """A request has ended, well or not."""
        self.requests_made += 1
        self.requests.append(record)
        if record.pathway:
            self.bytes_by_pathway[record.pathway] = self.bytes_by_pathway.get(record.pathway, 0) + record.bytes

    def segment(self, *, pathway: str, track: str, rendition: str, duration_s: float) -> None:
        """A media segment is complete."""
        self.segments += 1
        self.segments_by_pathway[pathway] = self.segments_by_pathway.get(pathway, 0) + 1
        if track == "video":
            self.serving = pathway
            self.rendition_seconds[rendition] = self.rendition_seconds.get(rendition, 0.0) + duration_s

    def result(
        self,
        *,
        title: str,
        format: Format,  # noqa: A002 - the field's name
        session: str,
        outcome: Outcome,
        error: str,
        resume_ms: int,
        last: Snapshot | None,
        position_saved: bool,
        reports_lost: int,
    ) -> PlayerResult:
        """The totals as they are, with what only the player knows. `last`: the playhead when play stopped."""
        return PlayerResult(
            title=title,
            format=format,
            session=session,
            outcome=outcome,
            error=error,
            resume_ms=resume_ms,
            position_ms=last.position_ms if last is not None else 0,
            position_saved=position_saved,
            serving=self.serving,
            ttfs_ms=self.ttfs_ms,
            startup_ms=self.startup_ms,
            stalls=last.stalls if last is not None else 0,
            stall_ms=last.stall_ms if last is not None else 0.0,
            switches=self.switches,
            retries=self.retries,
            segments=self.segments,
            failovers=tuple(self.failovers),
            steered=tuple(self.steered),
            bytes_by_pathway=dict(self.bytes_by_pathway),
            segments_by_pathway=dict(self.segments_by_pathway),
            rendition_seconds={name: round(seconds, 3) for name, seconds in self.rendition_seconds.items()},
            reports_lost=reports_lost,
            requests=tuple(self.requests),
            requests_dropped=self.requests_made - len(self.requests),
        )
