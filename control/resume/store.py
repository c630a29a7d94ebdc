"""Positions on disk. A report is acknowledged when it is durable; `kill -9` loses none of those."""

from __future__ import annotations

import apsw
import msgspec

from control.kit.database import Database
from control.resume.decide import Kept, Rules, decided, resume_ms
from control.wire import Position

SCHEMA = (
    """CREATE TABLE positions (profile TEXT NOT NULL, title TEXT NOT NULL, received_at REAL NOT NULL,
    body BLOB NOT NULL, PRIMARY KEY (profile, title)) WITHOUT ROWID""",
    "CREATE INDEX positions_by_age ON positions (received_at)",
)

_FIND = "SELECT body FROM positions WHERE profile = ? AND title = ?"
_DROP_OLDEST = """DELETE FROM positions WHERE (profile, title) IN
    (SELECT profile, title FROM positions ORDER BY received_at LIMIT ?)"""
_decoder = msgspec.json.Decoder(Kept)


class Positions:
    """At most `limit` positions; those not heard of for longest go first."""

    def __init__(self, database: Database, rules: Rules, *, limit: int) -> None:
        assert limit > 0
        self._database = database
        self._rules = rules
        self._limit = limit

    def __repr__(self) -> str:
        return f"<Positions of {self.count()} profiles and titles>"

    def count(self) -> int:
        """Positions kept."""
        row = self._database.row("SELECT count(*) FROM positions")
        assert row is not None
        return int(row[0])

    async def record(self, report: Position, *, started_at: float | None, now: float, duration_ms: int) -> Position:
        """The position as kept after `report`, durable. `started_at` of its session, None when that is unknown."""

        def work(cursor: apsw.Cursor) -> Position:
            row = next(iter(cursor.execute(_FIND, (report.profile, report.title))), None)
            kept = None if row is None else _decoder.decode(row[0])
            started = _started_at(kept, report, now) if started_at is None else started_at
            after = decided(kept, report, started_at=started, now=now, duration_ms=duration_ms, rules=self._rules)
            if after is not kept:
                values = (report.profile, report.title, after.received_at, msgspec.json.encode(after))
                cursor.execute("INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?)", values)
            return after.position

        return await self._database.write(work)

    def find(self, profile: str, title: str) -> Position | None:
        """Where `profile` stopped in `title`, or None."""
        kept = self._kept(profile, title)
        return None if kept is None else kept.position

    def resume_ms(self, profile: str, title: str, *, duration_ms: int) -> int:
        """Where `profile` begins in `title`."""
        return resume_ms(self._kept(profile, title), duration_ms=duration_ms, rules=self._rules)

    def _kept(self, profile: str, title: str) -> Kept | None:
        row = self._database.row(_FIND, (profile, title))
        return None if row is None else _decoder.decode(row[0])

    async def sweep(self) -> int:
        """Forget the oldest above the limit; how many."""

        def work(cursor: apsw.Cursor) -> int:
            (count,) = next(iter(cursor.execute("SELECT count(*) FROM positions")))
            if count <= self._limit:
                return 0
            surplus = int(count) - self._limit
            cursor.execute(_DROP_OLDEST, (surplus,))
            return surplus

        return await self._database.write(work)


def _started_at(kept: Kept | None, report: Position, now: float) -> float:
    """The start of a session that is not known (any more): it did not start after it reported."""
    if kept is not None and kept.position.session == report.session:
        return kept.session_started_at
    return min(report.at, now)
