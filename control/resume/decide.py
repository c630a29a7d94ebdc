"""Which report of a position counts, and where a viewer resumes. Pure.

Rules, per profile and title:

1. Within a session, a report whose sequence number is not higher than one heard is ignored.
2. Between sessions, the one that started later wins while it is alive; silent for `alive_s`, it yields.
3. A title seen to `completed` of its length begins anew. It stays completed until another session has passed
   `restarted` of it, so that a look at the credits or a mistaken start changes nothing.
4. Titles shorter than `shortest_ms` always begin at their beginning.
"""

from __future__ import annotations

import msgspec

from control.wire import Position

HEARD_LIMIT = 8
"""Sessions of one profile and title whose sequence numbers are remembered."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers in the rules above; shares of the title's duration, seconds, milliseconds."""

    completed: float = 0.95
    restarted: float = 0.05
    alive_s: float = 120.0
    shortest_ms: int = 0


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one profile and title. `heard`: highest sequence by session, the latest session last."""

    position: Position
    session_started_at: float
    received_at: float
    completed_by: str | None = None
    heard: tuple[tuple[str, int], ...] = ()


def decided(
    kept: Kept | None, report: Position, *, started_at: float, now: float, duration_ms: int, rules: Rules
) -> Kept:
    """What is known after `report` of a session that started at `started_at`, received `now`."""
    report = msgspec.structs.replace(report, position_ms=min(report.position_ms, duration_ms))
    heard = dict(kept.heard) if kept else {}
    if report.sequence <= heard.get(report.session, -1):
        assert kept is not None
        return kept
    heard.pop(report.session, None)
    heard[report.session] = report.sequence
    latest = tuple(heard.items())[-HEARD_LIMIT:]
    if kept is not None and _outranked(kept, report, started_at=started_at, now=now, rules=rules):
        return msgspec.structs.replace(kept, heard=latest)
    return Kept(
        position=report,
        session_started_at=started_at,
        received_at=now,
        completed_by=_completed_by(kept, report, duration_ms, rules),
        heard=latest,
    )


def _outranked(kept: Kept, report: Position, *, started_at: float, now: float, rules: Rules) -> bool:
    """Whether a session that started later, and still reports, holds the position."""
    return (
        report.session != kept.position.session
        and started_at < kept.session_started_at
        and now - kept.received_at <= rules.alive_s
    )


def _completed_by(kept: Kept | None, report: Position, duration_ms: int, rules: Rules) -> str | None:
    """The session that completed the title, while that counts."""
    if report.position_ms >= rules.completed * duration_ms:
        return report.session
    if kept is None or kept.completed_by is None:
        return None
    anew = report.session != kept.completed_by and report.position_ms > rules.restarted * duration_ms
    return None if anew else kept.completed_by


def resume_ms(kept: Kept | None, *, duration_ms: int, rules: Rules) -> int:
    """Where a new session begins, in milliseconds."""
    if kept is None or kept.completed_by is not None or duration_ms < rules.shortest_ms:
        return 0
    if kept.position.position_ms >= rules.completed * duration_ms:  # the title has become shorter since
        return 0
    return kept.position.position_ms
