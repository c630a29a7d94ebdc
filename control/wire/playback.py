"""A viewer's session, where they stopped, and what their player reports."""

from __future__ import annotations

from typing import Literal

from control.wire.names import Count, Message, Name, Text, UnixSeconds, Url
from control.wire.steering import RankedPathway


class PlaybackRequest(Message, frozen=True, kw_only=True):
    """A viewer wants to watch `title` on `device`. `client` overrides the address for tests and proxies."""

    title: Name
    profile: Name
    device: Name
    client: Text | None = None


class PlaybackSession(Message, frozen=True, kw_only=True):
    """All a player needs: manifests, the pathways they list, and where to start."""

    id: Name
    title: Name
    profile: Name
    device: Name
    started_at: UnixSeconds
    duration_ms: Count
    hls_url: Url
    dash_url: Url
    resume_ms: Count = 0
    decision: Name
    pathways: tuple[RankedPathway, ...]


class Position(Message, frozen=True, kw_only=True):
    """Where a profile stopped in a title. Stale reports of one session (lower `sequence`) are ignored."""

    profile: Name
    title: Name
    session: Name
    sequence: Count
    position_ms: Count
    at: UnixSeconds
    device: Name = "unknown"


class PlaybackEvent(Message, frozen=True, kw_only=True):
    """What happened in a player. `value` is milliseconds for start, stall and seek; bit/s for switch."""

    session: Name
    sequence: Count
    at: UnixSeconds
    kind: Literal["start", "stall", "switch", "failover", "stop", "error"]
    position_ms: Count = 0
    value: Count = 0
    pathway: Name | None = None
    detail: Text = ""
