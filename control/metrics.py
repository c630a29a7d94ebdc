"""Every metric of the control plane: one table, from which its page of the documentation is made."""

from __future__ import annotations

from control.catalog import follow
from control.events import journal
from control.kit import http
from control.kit.metrics import Metric
from control.playback import steer

METRICS: tuple[Metric, ...] = (
    *http.METRICS,
    *follow.METRICS,
    *steer.METRICS,
    *journal.METRICS,
    Metric("oca_control_playback_started_total", "counter", "Sessions begun"),
    Metric("oca_control_positions_total", "counter", "Reports of a position that were made durable"),
    Metric("oca_control_sessions", "gauge", "Sessions kept"),
)
