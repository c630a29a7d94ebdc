"""Sessions and last known decisions on disk: manifests and fallbacks outlive this process."""

from __future__ import annotations

from dataclasses import dataclass

import apsw
import msgspec

from control.kit.database import Database
from control.playback.pathways import Remembered
from control.wire import PlaybackSession, RankedPathway, decode, encode

SCHEMA = (
    """CREATE TABLE sessions (id TEXT PRIMARY KEY, client TEXT NOT NULL, expires_at REAL NOT NULL, body BLOB NOT NULL)
    WITHOUT ROWID""",
    "CREATE INDEX sessions_by_expiry ON sessions (expires_at)",
    """CREATE TABLE decisions (network TEXT NOT NULL, title TEXT NOT NULL, at REAL NOT NULL, id TEXT NOT NULL,
    pathways BLOB NOT NULL, PRIMARY KEY (network, title)) WITHOUT ROWID""",
    "CREATE INDEX decisions_by_network ON decisions (network, at)",
    "CREATE INDEX decisions_by_title ON decisions (title, at)",
    "CREATE INDEX decisions_by_age ON decisions (at)",
)

_PATHWAYS = msgspec.json.Decoder(tuple[RankedPathway, ...])
_NEAREST = (
    "SELECT network, title, at, id, pathways FROM decisions WHERE network = :network AND title = :title",
    "SELECT network, title, at, id, pathways FROM decisions WHERE network = :network ORDER BY at DESC LIMIT 4",
    "SELECT network, title, at, id, pathways FROM decisions WHERE title = :title ORDER BY at DESC LIMIT 4",
    "SELECT network, title, at, id, pathways FROM decisions ORDER BY at DESC LIMIT 4",
)

_DROP_OLDEST_SESSIONS = "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions ORDER BY expires_at LIMIT ?)"
_DROP_OLDEST_DECISIONS = (
    "DELETE FROM decisions WHERE at <= (SELECT at FROM decisions ORDER BY at DESC LIMIT 1 OFFSET ?)"
)


@dataclass(frozen=True)
class KeptSession:
    """A session with what its manifests need and its viewer does not."""

    session: PlaybackSession
    client: str


class SessionStore:
    """At most `limit` sessions and as many decisions; the oldest go first."""

    def __init__(self, database: Database, *, limit: int, ttl_s: float) -> None:
        assert limit > 0
        self._database = database
        self._limit = limit
        self._ttl_s = ttl_s

    def __repr__(self) -> str:
        return f"<SessionStore of {self.count()} sessions>"

    def count(self) -> int:
        """Sessions kept, expired ones until the next sweep included."""
        row = self._database.row("SELECT count(*) FROM sessions")
        assert row is not None
        return int(row[0])

    async def add(self, kept: KeptSession, decision: Remembered | None) -> None:
        """Keep a session, and the decision it was made from when steering gave it just now."""
        session = kept.session
        row = (session.id, kept.client, session.started_at + self._ttl_s, encode(session))

        def work(cursor: apsw.Cursor) -> None:
            cursor.execute("INSERT INTO sessions VALUES (?, ?, ?, ?)", row)
            if decision is not None:
                pathways = msgspec.json.encode(decision.pathways)
                values = (decision.network, decision.title, decision.at, decision.id, pathways)
                cursor.execute("INSERT OR REPLACE INTO decisions VALUES (?, ?, ?, ?, ?)", values)

        await self._database.write(work)

    def find(self, session: str, *, now: float) -> KeptSession | None:
        """The session, or None when there is none or its time is over."""
        row = self._database.row("SELECT client, body FROM sessions WHERE id = ? AND expires_at > ?", (session, now))
        return None if row is None else KeptSession(session=decode(row[1], PlaybackSession), client=str(row[0]))

    def remembered(self, network: str, title: str) -> list[Remembered]:
        """The earlier decisions nearest to `network` and `title`, a few of each degree."""
        found: dict[tuple[str, str], Remembered] = {}
        nearest = {"network": network, "title": title}
        for sql in _NEAREST:
            for each_network, each_title, at, decision, pathways in self._database.rows(sql, nearest):
                found[each_network, each_title] = Remembered(
                    id=decision, network=each_network, title=each_title, at=at, pathways=_PATHWAYS.decode(pathways)
                )
        return list(found.values())

    async def sweep(self, *, now: float) -> int:
        """Forget what has expired, and the oldest above the limit. The number of sessions forgotten."""

        def work(cursor: apsw.Cursor) -> int:
            cursor.execute("DELETE FROM sessions WHERE expires_at <= ?", (now,))
            gone = cursor.connection.changes()
            (count,) = next(iter(cursor.execute("SELECT count(*) FROM sessions")))
            if count > self._limit:
                cursor.execute(_DROP_OLDEST_SESSIONS, (count - self._limit,))
                gone += cursor.connection.changes()
            cursor.execute(_DROP_OLDEST_DECISIONS, (self._limit,))
            return gone

        return await self._database.write(work)
