"""What the planner must not forget: demand, the catalog as last seen, plans, and how far they got.

One SQLite file. Nothing here decides. Rules:

- A demand row is a total, so the larger of two reports of the same hour is the later: replays change nothing.
- What grows is cut: demand by age and by number of rows, plans and reports to one per appliance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import apsw

from control.kit.database import Database, open_database
from control.kit.errors import StorageError
from control.wire import DemandReport, FillPlan, FillReport, Title, WireError, decode, encode
from control.wire.names import Message
from fill.demand import DAY_S, History

M = TypeVar("M", bound=Message)

HOUR_S = 3600
SCHEMA = {
    "fill": (
        """CREATE TABLE demand (
            appliance TEXT NOT NULL, title TEXT NOT NULL, rendition TEXT NOT NULL, hour INTEGER NOT NULL,
            epoch REAL NOT NULL, requests INTEGER NOT NULL, bytes INTEGER NOT NULL, sessions INTEGER NOT NULL,
            farthest_segment INTEGER NOT NULL,
            PRIMARY KEY (appliance, title, rendition, hour, epoch)) WITHOUT ROWID""",
        "CREATE INDEX demand_by_hour ON demand (hour)",
        "CREATE TABLE appliances (appliance TEXT PRIMARY KEY, cluster TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE titles (title TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
        "CREATE TABLE plans (appliance TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
        "CREATE TABLE reports (appliance TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
    )
}

_ADD_DEMAND = """INSERT INTO demand VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET requests = max(requests, excluded.requests), bytes = max(bytes, excluded.bytes),
  sessions = max(sessions, excluded.sessions), farthest_segment = max(farthest_segment, excluded.farthest_segment)"""

_DEMAND_OF_CLUSTERS = """SELECT coalesce(a.cluster, ''), d.title, d.rendition, sum(d.bytes), min(d.hour)
FROM demand d LEFT JOIN appliances a USING (appliance) WHERE d.hour >= ? GROUP BY 1, 2, 3"""


@dataclass(frozen=True)
class Histories:
    """What was asked for, per cluster and anywhere."""

    by_cluster: Mapping[str, History]
    anywhere: History

    def of(self, cluster: str) -> History:
        """What viewers of `cluster` asked for; nothing when it is new."""
        return self.by_cluster.get(cluster, History())


class Books:
    """The open books. Writes return when they are durable."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{path}: cannot make the directory {path.parent}: {error.strerror}") from error
        self._db: Database = open_database(path, SCHEMA, application="FILL")

    def __repr__(self) -> str:
        return f"<Books {self._db!r}>"

    async def close(self) -> None:
        """Commit what waits, then close."""
        await self._db.close()

    async def add_demand(self, report: DemandReport) -> None:
        """Keep the rows of `report`; a repeated or overtaken report changes nothing."""
        rows = [
            (
                report.appliance,
                row.title,
                row.rendition,
                row.hour,
                report.epoch,
                row.requests,
                row.bytes,
                row.sessions,
                row.farthest_segment,
            )
            for row in report.rows
        ]
        await self._db.write(lambda cursor: _many(cursor, _ADD_DEMAND, rows))

    async def histories(self, now: float, since: float) -> Histories:
        """Demand from `since` until `now` (Unix seconds), over as long as there are rows."""
        rows = await self._db.write(lambda cursor: list(cursor.execute(_DEMAND_OF_CLUSTERS, (int(since),))))
        return _histories(rows, now)

    async def prune(self, before: float, limit_rows: int) -> int:
        """Delete demand of hours before `before`, and the oldest beyond `limit_rows`; how many rows went."""
        return await self._db.write(lambda cursor: _prune(cursor, int(before), limit_rows))

    async def keep_cluster(self, appliance: str, cluster: str) -> None:
        """Remember whose viewers an appliance serves, for the demand it reported."""
        await self._db.write(
            lambda cursor: _many(cursor, "INSERT OR REPLACE INTO appliances VALUES (?, ?)", [(appliance, cluster)])
        )

    def clusters(self) -> dict[str, str]:
        """Appliance → cluster, as remembered."""
        return dict(self._db.rows("SELECT appliance, cluster FROM appliances"))

    async def keep_titles(self, titles: Iterable[Title]) -> None:
        """The catalog is now `titles`."""
        rows = [(title.id, encode(title)) for title in titles]

        def replace(cursor: apsw.Cursor) -> None:
            cursor.execute("DELETE FROM titles")
            _many(cursor, "INSERT INTO titles VALUES (?, ?)", rows)

        await self._db.write(replace)

    def titles(self) -> tuple[Title, ...]:
        """The catalog as last kept, by id."""
        return tuple(_readable(self._db, "SELECT body FROM titles ORDER BY title", Title))

    async def keep_plans(self, plans: Iterable[FillPlan]) -> None:
        """Each replaces the plan of its appliance."""
        rows = [(plan.appliance, encode(plan)) for plan in plans]
        await self._db.write(lambda cursor: _many(cursor, "INSERT OR REPLACE INTO plans VALUES (?, ?)", rows))

    def plans(self) -> dict[str, FillPlan]:
        """The last plan of each appliance."""
        found = _readable(self._db, "SELECT body FROM plans ORDER BY appliance", FillPlan)
        return {plan.appliance: plan for plan in found}

    async def keep_report(self, report: FillReport) -> None:
        """Replaces the report of its appliance."""
        row = (report.appliance, encode(report))
        await self._db.write(lambda cursor: _many(cursor, "INSERT OR REPLACE INTO reports VALUES (?, ?)", [row]))

    async def forget(self, appliance: str) -> None:
        """Drop the plan, the report and the cluster of `appliance`. Its demand goes when it is old."""

        def drop(cursor: apsw.Cursor) -> None:
            for table in ("plans", "reports", "appliances"):
                cursor.execute(f"DELETE FROM {table} WHERE appliance = ?", (appliance,))  # noqa: S608 - our own names

        await self._db.write(drop)

    def reports(self) -> dict[str, FillReport]:
        """The last report of each appliance."""
        found = _readable(self._db, "SELECT body FROM reports ORDER BY appliance", FillReport)
        return {report.appliance: report for report in found}


def _many(cursor: apsw.Cursor, sql: str, rows: Sequence[tuple[str | int | float | bytes, ...]]) -> None:
    if rows:
        cursor.executemany(sql, rows)


def _readable(db: Database, sql: str, kind: type[M]) -> list[M]:
    """Rows that this build reads. Those of a newer one are made again by the next round."""
    found = []
    for (body,) in db.rows(sql):
        try:
            found.append(decode(body, kind))
        except WireError:
            continue
    return found


def _histories(rows: Iterable[tuple[str, str, str, int, int]], now: float) -> Histories:
    by_cluster: dict[str, dict[tuple[str, str], int]] = {}
    first: dict[str, int] = {}
    anywhere: dict[tuple[str, str], int] = {}
    for cluster, title, rendition, count, hour in rows:
        key = (title, rendition)
        by_cluster.setdefault(cluster, {})[key] = count
        first[cluster] = min(first.get(cluster, hour), hour)
        anywhere[key] = anywhere.get(key, 0) + count
    days = {cluster: max(now - hour, HOUR_S) / DAY_S for cluster, hour in first.items()}
    return Histories(
        {cluster: History(found, days[cluster]) for cluster, found in by_cluster.items()},
        History(anywhere, max(days.values(), default=0.0)),
    )


def _prune(cursor: apsw.Cursor, before: int, limit_rows: int) -> int:
    cursor.execute("DELETE FROM demand WHERE hour < ?", (before,))
    gone = int(cursor.connection.changes())
    (rows,) = next(iter(cursor.execute("SELECT count(*) FROM demand")))
    while rows > limit_rows:
        cursor.execute("DELETE FROM demand WHERE hour = (SELECT min(hour) FROM demand)")
        rows -= int(cursor.connection.changes())
        gone += int(cursor.connection.changes())
    return gone
