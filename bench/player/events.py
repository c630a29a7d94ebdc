"""What a player tells whoever watches it: events as they happen, and a snapshot at any time. Plain data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

EventKind = Literal["start", "segment", "switch", "stall", "resume", "failover", "steer", "end", "error", "tick"]


class PlayerEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened. `at_ms` counts from the start of play, `position_ms` is the playhead's.

    `value`: milliseconds for start and resume (how long the wait was), bit/s for switch and segment.
    """

    kind: EventKind
    at_ms: float
    position_ms: int
    pathway: str = ""
    track: str = ""
    rendition: str = ""
    value: int = 0
    detail: str = ""


OnEvent = Callable[[PlayerEvent], None]


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A player at one moment."""

    state: str
    position_ms: int
    duration_ms: int
    buffer_s: float
    serving: str
    rendition: str
    bitrate_bps: int
    throughput_bps: float
    stalls: int
    stall_ms: float
    failovers: int
    segments: int
    bytes: int
