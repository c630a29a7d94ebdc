"""The catalog on disk: titles with the indexes of their renditions.

A title and its indexes change in one transaction: no reader sees a title whose index is not there.
"""

from __future__ import annotations

import apsw
import xxhash

from control.kit.database import Database
from control.wire import CatalogPage, Title, decode, encode

SCHEMA = (
    "CREATE TABLE titles (id TEXT PRIMARY KEY, digest TEXT NOT NULL, body BLOB NOT NULL) WITHOUT ROWID",
    """CREATE TABLE rendition_indexes (title TEXT NOT NULL REFERENCES titles ON DELETE CASCADE, rendition TEXT NOT NULL,
    body BLOB NOT NULL, PRIMARY KEY (title, rendition)) WITHOUT ROWID""",
)


def digest_of(title: Title) -> str:
    """Tells whether a title has changed."""
    return xxhash.xxh3_128_hexdigest(encode(title))


class CatalogStore:
    """The titles that passed `verify`. Reads are inline, writes durable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __repr__(self) -> str:
        return f"<CatalogStore of {self.count()} titles>"

    def count(self) -> int:
        """Titles kept."""
        row = self._database.row("SELECT count(*) FROM titles")
        assert row is not None
        return int(row[0])

    def digests(self) -> dict[str, str]:
        """Title id → digest of what is kept."""
        return {str(title): str(digest) for title, digest in self._database.rows("SELECT id, digest FROM titles")}

    def title(self, title: str) -> Title | None:
        """The title, or None."""
        row = self._database.row("SELECT body FROM titles WHERE id = ?", (title,))
        return None if row is None else decode(row[0], Title)

    def titled(self, title: str) -> tuple[Title, str] | None:
        """The title with its digest, or None."""
        row = self._database.row("SELECT body, digest FROM titles WHERE id = ?", (title,))
        return None if row is None else (decode(row[0], Title), str(row[1]))

    def page(self, after: str, limit: int) -> CatalogPage:
        """Up to `limit` titles in order of id, those after `after`."""
        rows = self._database.rows("SELECT body FROM titles WHERE id > ? ORDER BY id LIMIT ?", (after, limit + 1))
        titles = tuple(decode(body, Title) for (body,) in rows[:limit])
        return CatalogPage(titles=titles, next_after=titles[-1].id if len(rows) > limit else None)

    def index_body(self, title: str, rendition: str) -> bytes | None:
        """The RenditionIndex of a rendition as the origin sent it, or None."""
        row = self._database.row(
            "SELECT body FROM rendition_indexes WHERE title = ? AND rendition = ?", (title, rendition)
        )
        return None if row is None else bytes(row[0])

    def index_bodies(self, title: str) -> dict[str, bytes]:
        """Rendition id → index as the origin sent it, of all renditions of the title."""
        rows = self._database.rows("SELECT rendition, body FROM rendition_indexes WHERE title = ?", (title,))
        return {str(rendition): bytes(body) for rendition, body in rows}

    async def keep(self, title: Title, indexes: dict[str, bytes]) -> None:
        """Publish `title` with the index of each of its renditions; replaces what was kept of it."""
        assert set(indexes) == {rendition.id for rendition in title.renditions}, title.id
        body, digest = encode(title), digest_of(title)

        def work(cursor: apsw.Cursor) -> None:
            cursor.execute("DELETE FROM titles WHERE id = ?", (title.id,))
            cursor.execute("INSERT INTO titles VALUES (?, ?, ?)", (title.id, digest, body))
            cursor.executemany(
                "INSERT INTO rendition_indexes VALUES (?, ?, ?)",
                [(title.id, rendition, index) for rendition, index in indexes.items()],
            )

        await self._database.write(work)

    async def withdraw(self, titles: tuple[str, ...]) -> None:
        """Forget titles."""

        def work(cursor: apsw.Cursor) -> None:
            cursor.executemany("DELETE FROM titles WHERE id = ?", [(title,) for title in titles])

        await self._database.write(work)
