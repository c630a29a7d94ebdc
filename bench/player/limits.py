"""Every number that a player obeys, in one place, with its unit and why it is what it is."""

from __future__ import annotations

from typing import Literal

import msgspec


class PlayerLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of one player. The defaults suit segments of about 4 s; tests and benches scale them."""

    buffer_goal_s: float = 20.0
    """A track that is this far ahead of the playhead waits."""
    startup_s: float = 1.0
    """Play begins with this much of every track."""
    rebuffer_s: float = 2.0
    """Play goes on after a stall with this much of every track."""
    stall_limit_s: float = 30.0
    """Waiting longer than this, at the start or in a stall, is failure."""
    speed: float = 1.0
    """Media seconds played per second."""
    tick_s: float = 0.25
    """How often the playhead is looked at. Stalls are timed exactly, whatever this is."""

    connect_s: float = 1.0
    """Time for a TCP connection."""
    first_byte_s: float = 2.0
    """Time from the request, connecting included, to the answer's header."""
    slow_window_s: float = 2.0
    slow_window_bytes: int = 8192
    """A body that brings fewer bytes than this in a window is given up."""
    control_s: float = 5.0
    """Time for an answer of the control plane."""
    farewell_s: float = 2.0
    """Time at `stop` for what is still to be told to control."""
    manifest_bytes: int = 16 * 1024 * 1024
    segment_bytes: int = 1024 * 1024 * 1024
    """Longer bodies are given up."""

    manifest_tries: int = 3
    """How often control is asked for the manifest."""
    rounds: int = 5
    """How often all pathways are tried for one segment, with nothing left to play, before play fails."""
    backoff_s: float = 0.25
    """Pause after the first round that failed everywhere; it doubles with each."""
    backoff_most_s: float = 2.0
    """No pause is longer."""
    penalty_s: float = 10.0
    """A failed pathway is left alone at least this long, unless steering dropped it and named it again."""
    missing_objects: int = 2
    """A pathway is penalised at this many objects that it does not have."""

    initial_bps: float = 2_000_000.0
    """Throughput assumed before the first measurement."""
    safety: float = 0.9
    """Share of the measured throughput that a rendition may take."""
    fast_half_life_s: float = 3.0
    slow_half_life_s: float = 9.0
    """Half-lives, in seconds of downloading, of the two averages of throughput."""
    sample_bytes: int = 16 * 1024
    """Shorter bodies say more of latency than of throughput and are not measured."""

    steering_wait_s: float = 1.0
    """How long the start may wait for steering where the manifest asks for that."""
    steering_ttl_least_s: float = 1.0
    """A steering list that asks to be polled faster is polled this often."""
    position_interval_s: float = 10.0
    """How often the position is reported."""
    reports_waiting: int = 64
    """Reports to control that may wait; the oldest beyond that are dropped."""
    requests_kept: int = 10_000
    """Records of requests in the result; the oldest beyond that are dropped."""
    cmcd: Literal["header", "query", "off"] = "header"
    """How CMCD data travels (CTA-5004)."""
