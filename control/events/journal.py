"""The latest events of each session, in memory. Bounded both ways; nothing waits for a disk."""

from __future__ import annotations

from bisect import insort
from collections import OrderedDict
from dataclasses import dataclass, field

from control.kit.metrics import Meter, Metric
from control.wire import PlaybackEvent

METRICS = (
    Metric("oca_control_player_events_total", "counter", "Events that players reported, by kind", ("kind",)),
    Metric("oca_control_player_startup_seconds", "histogram", "From pressing play to the first frame"),
    Metric("oca_control_player_stall_seconds", "histogram", "How long playback stood still, per stall"),
)


@dataclass
class SessionEvents:
    """Events of one session in order of their sequence number. `dropped`: older ones that made room."""

    events: list[PlaybackEvent] = field(default_factory=list)
    dropped: int = 0

    def add(self, event: PlaybackEvent, limit: int) -> bool:
        """Whether the event was news: not a repetition, nor older than all that is kept of a full journal."""
        at = [each.sequence for each in self.events]
        if event.sequence in at or (self.dropped and at and event.sequence < at[0]):
            return False
        insort(self.events, event, key=lambda each: each.sequence)
        if len(self.events) > limit:
            del self.events[0]
            self.dropped += 1
        return True


class Journal:
    """Events of the sessions that reported last, `events_limit` each, `sessions_limit` sessions."""

    def __init__(self, meter: Meter, *, sessions_limit: int, events_limit: int) -> None:
        assert sessions_limit > 0
        assert events_limit > 0
        self._meter = meter
        self._sessions_limit = sessions_limit
        self._events_limit = events_limit
        self._sessions: OrderedDict[str, SessionEvents] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Journal of {len(self._sessions)} sessions>"

    def record(self, event: PlaybackEvent) -> None:
        """Keep and count an event. A repetition changes nothing."""
        kept = self._sessions.setdefault(event.session, SessionEvents())
        self._sessions.move_to_end(event.session)
        if len(self._sessions) > self._sessions_limit:
            self._sessions.popitem(last=False)
        if kept.add(event, self._events_limit):
            self._count(event)

    def _count(self, event: PlaybackEvent) -> None:
        self._meter.inc("oca_control_player_events_total", kind=event.kind)
        if event.kind == "start":
            self._meter.observe("oca_control_player_startup_seconds", event.value / 1000)
        elif event.kind == "stall":
            self._meter.observe("oca_control_player_stall_seconds", event.value / 1000)

    def of(self, session: str) -> SessionEvents:
        """What is kept of a session; empty when nothing is."""
        return self._sessions.get(session, SessionEvents())
