"""The books on disk: what `books.py` knows, the orders to forget, and a few words to remember.

The database can be lost: all but popularity and orders is found again on the disks. One that is damaged is
put aside and a new one begun.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import apsw

from control.kit.database import DamagedError, Database, open_database
from control.kit.logs import get_logger
from oca.store.entry import Entry, Part
from oca.store.layout import RenditionKey

APPLICATION = "ocab"
SCHEMA = {
    "books": (
        """CREATE TABLE renditions (
            title TEXT NOT NULL, rendition TEXT NOT NULL,
            index_bytes INTEGER NOT NULL, index_xxh3 TEXT NOT NULL, objects_total INTEGER NOT NULL,
            last_used REAL NOT NULL, requests INTEGER NOT NULL, pinned INTEGER NOT NULL, value REAL,
            PRIMARY KEY (title, rendition)) WITHOUT ROWID""",
        """CREATE TABLE parts (
            title TEXT NOT NULL, rendition TEXT NOT NULL, disk TEXT NOT NULL,
            bitmap BLOB NOT NULL, bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
            PRIMARY KEY (title, rendition, disk)) WITHOUT ROWID""",
    ),
    "orders": (
        """CREATE TABLE orders (
            id TEXT PRIMARY KEY, at REAL NOT NULL, body BLOB NOT NULL, receipt BLOB, disks TEXT NOT NULL
            ) WITHOUT ROWID""",
    ),
    "words": ("CREATE TABLE words (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",),
}
Change = tuple[RenditionKey, tuple[Any, ...] | None, list[tuple[Any, ...]]]
"""A rendition's key, its row (None: it is gone) and the rows of its parts."""


class Ledger:
    """The database in the run directory. What was written is durable when the call returns."""

    def __init__(self, path: Path) -> None:
        """Open or begin the books at `path`. Raises StorageError, also when another keeper has them open."""
        self.path = path
        try:
            self._db = _open(path)
        except DamagedError as error:
            aside = path.with_suffix(".damaged")
            get_logger().error("books_damaged", error=str(error), kept_as=str(aside))
            _put_aside(path, aside)
            self._db = _open(path)

    def __repr__(self) -> str:
        return f"<Ledger {self.path}>"

    async def close(self) -> None:
        """Write what waits and close."""
        await self._db.close()

    # Renditions

    def entries(self) -> Iterator[Entry]:
        """Every rendition with its parts."""
        found: dict[RenditionKey, Entry] = {}
        for title, rendition, size, digest, total, last_used, requests, pinned, value in self._db.rows(
            "SELECT title, rendition, index_bytes, index_xxh3, objects_total, last_used, requests, pinned, value "
            "FROM renditions"
        ):
            key = RenditionKey(title, rendition)
            entry = Entry(key, index_bytes=size, index_xxh3=digest, objects_total=total)
            entry.last_used, entry.requests, entry.pinned, entry.value = last_used, requests, bool(pinned), value
            found[key] = entry
        for title, rendition, disk, bitmap, size, mtime_ns in self._db.rows(
            "SELECT title, rendition, disk, bitmap, bytes, mtime_ns FROM parts"
        ):
            owner = found.get(RenditionKey(title, rendition))
            if owner is not None and len(bitmap) == (owner.objects_total + 7) // 8:
                owner.parts[disk] = Part(owner.objects_total, bitmap, size, mtime_ns)
        yield from found.values()

    async def write(self, changes: Iterable[Change]) -> None:
        """Make `changes` durable, all or none. Raises StorageError."""
        await self._db.write(functools.partial(_write, list(changes)))

    # Words

    async def remember(self, name: str, value: str | None) -> None:
        """Keep `value` under `name`; None forgets it. Raises StorageError."""
        if value is None:
            await self._db.write(lambda cursor: cursor.execute("DELETE FROM words WHERE name = ?", (name,)))
        else:
            await self._db.write(
                lambda cursor: cursor.execute("INSERT OR REPLACE INTO words VALUES (?, ?)", (name, value))
            )

    def recall(self, name: str) -> str | None:
        """What was kept under `name`."""
        row = self._db.row("SELECT value FROM words WHERE name = ?", (name,))
        return None if row is None else str(row[0])

    # Orders

    async def keep_order(self, order: str, at: float, body: bytes, receipt: bytes | None, disks: str) -> None:
        """Keep an order to forget; `receipt` once it is done, `disks` (names, with commas) still to be purged."""
        await self._db.write(
            lambda cursor: cursor.execute(
                "INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?, ?)", (order, at, body, receipt, disks)
            )
        )

    def order(self, order: str) -> tuple[bytes, bytes | None, str] | None:
        """Body, receipt and disks still to be purged of one order."""
        row = self._db.row("SELECT body, receipt, disks FROM orders WHERE id = ?", (order,))
        return None if row is None else (row[0], row[1], row[2])

    def open_orders(self) -> list[tuple[bytes, str]]:
        """Body and disks still to be purged of every order that is not done, oldest first."""
        rows = self._db.rows("SELECT body, disks FROM orders WHERE receipt IS NULL ORDER BY at")
        return [(body, disks) for body, disks in rows]

    async def forget_orders(self, keep: int) -> None:
        """Forget all but the newest `keep` orders that are done."""
        await self._db.write(
            lambda cursor: cursor.execute(
                "DELETE FROM orders WHERE receipt IS NOT NULL AND id NOT IN "
                "(SELECT id FROM orders ORDER BY at DESC LIMIT ?)",
                (keep,),
            )
        )


def _write(changes: list[Change], cursor: apsw.Cursor) -> None:
    for key, row, parts in changes:
        cursor.execute("DELETE FROM parts WHERE title = ? AND rendition = ?", key)
        if row is None:
            cursor.execute("DELETE FROM renditions WHERE title = ? AND rendition = ?", key)
            continue
        cursor.execute("INSERT OR REPLACE INTO renditions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        cursor.executemany("INSERT INTO parts VALUES (?, ?, ?, ?, ?, ?)", parts)


def _open(path: Path) -> Database:
    return open_database(path, SCHEMA, application=APPLICATION)


def _put_aside(path: Path, aside: Path) -> None:
    path.replace(aside)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
