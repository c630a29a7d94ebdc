"""One SQLite file of one process: group commit for writes, inline reads, errors in words.

What a table means is never here. Rules:

- One connection writes and checkpoints, on one thread; writes waiting together share one fsync.
- `write` returns when its transaction is durable (WAL, `synchronous=FULL`): what was acknowledged
  survives `kill -9` and power loss.
- Reads run on the caller's thread, on a second connection that cannot write; they see what is committed.
- A lock file beside the database keeps a second process out.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import apsw

from control.kit.errors import StorageError

T = TypeVar("T")
Row = tuple[Any, ...]
Value = None | int | float | str | bytes
Values = Sequence[Value] | Mapping[str, Value]
"""For `?` by position, or for `:name` by name."""
Schema = Mapping[str, Sequence[str]]
"""Part of the process → its statements, oldest first. A part grows by appending; a statement never changes."""

BATCH_LIMIT = 1000
"""Writes that share one transaction at most."""
CHECKED_AT_OPEN_BYTES = 64 * 1024 * 1024
"""Files up to this size are checked for damage when opened."""

_SETTINGS = ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA foreign_keys=ON")
_BUSY_MS = 5000


class DamagedError(StorageError):
    """The file is not a database any more, or not a whole one: what can be made anew elsewhere may be."""


@dataclass
class _Write:
    """One write that waits for its transaction."""

    work: Callable[[apsw.Cursor], Any]
    done: asyncio.Future[Any]


class Database:
    """An open database. `queue_limit` writes may wait; more are refused, for the disk does not keep up."""

    def __init__(
        self, path: Path, writer: apsw.Connection, reader: apsw.Connection, lock: int, queue_limit: int
    ) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader
        self._lock = lock
        self._queue_limit = queue_limit
        self._waiting: list[_Write] = []
        self._commits: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="database")
        self._closed = False

    def __repr__(self) -> str:
        return f"<Database {self.path}, {len(self._waiting)} writes waiting>"

    async def write(self, work: Callable[[apsw.Cursor], T]) -> T:
        """Run `work` in a transaction; its result once that is durable.

        `work` runs on the writer's thread, after every write that was asked for before it. When it raises, only its
        own changes are undone. Raises StorageError when the disk or the file fails, or too many writes wait.
        """
        if self._closed:
            raise StorageError(f"{self.path}: closed")
        if len(self._waiting) >= self._queue_limit:
            raise StorageError(f"{self.path}: {self._queue_limit} writes wait already; the disk does not keep up")
        loop = asyncio.get_running_loop()
        write = _Write(work, loop.create_future())
        self._waiting.append(write)
        if self._commits is None or self._commits.done():
            self._commits = loop.create_task(self._commit_waiting(), name="database-commits")
        result: T = await write.done
        return result

    async def _commit_waiting(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH_LIMIT], self._waiting[BATCH_LIMIT:]
            outcomes = await loop.run_in_executor(self._thread, self._transaction, [write.work for write in batch])
            for write, outcome in zip(batch, outcomes, strict=True):
                if write.done.done():
                    continue
                if isinstance(outcome, BaseException):
                    write.done.set_exception(outcome)
                else:
                    write.done.set_result(outcome)

    def _transaction(self, works: list[Callable[[apsw.Cursor], Any]]) -> list[Any]:
        """The result or exception of each of `works`; all exceptions when the transaction itself failed."""
        cursor = self._writer.cursor()
        try:
            cursor.execute("BEGIN IMMEDIATE")
            outcomes = [self._outcome(cursor, work) for work in works]
            cursor.execute("COMMIT")
        except apsw.Error as error:
            if self._writer.in_transaction:
                cursor.execute("ROLLBACK")
            return [_storage_error(self.path, error) for _ in works]
        return outcomes

    def _outcome(self, cursor: apsw.Cursor, work: Callable[[apsw.Cursor], Any]) -> Any:
        try:
            with self._writer:
                return work(cursor)
        except apsw.Error as error:
            if not self._writer.in_transaction:  # SQLite gave the whole transaction up: disk full, I/O error
                raise
            return _storage_error(self.path, error)
        except Exception as error:  # the caller's own, handed back to the caller
            return error

    def rows(self, sql: str, values: Values = ()) -> list[Row]:
        """What a SELECT finds, as last committed."""
        try:
            return list(self._reader.execute(sql, values))
        except apsw.Error as error:
            raise _storage_error(self.path, error) from error

    def row(self, sql: str, values: Values = ()) -> Row | None:
        """The first row that a SELECT finds, or None."""
        return next(iter(self.rows(sql, values)), None)

    async def close(self) -> None:
        """Commit what waits, then close."""
        self._closed = True
        if self._commits is not None:
            await self._commits
        self._thread.shutdown()
        self._reader.close()
        self._writer.close()
        os.close(self._lock)


def open_database(path: Path, schema: Schema, *, application: str, queue_limit: int = 10_000) -> Database:
    """Open or create the database of `application` (four letters, kept in the file) at `path`.

    Raises StorageError saying what is wrong and what would be right.
    """
    lock = _locked(path)
    opened: list[apsw.Connection] = []
    try:
        writer = apsw.Connection(str(path))
        opened.append(writer)
        _prepare(writer, path, schema, int.from_bytes(application.encode("ascii"), "big"))
        reader = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        opened.append(reader)
        reader.set_busy_timeout(_BUSY_MS)
    except (apsw.Error, StorageError) as error:
        for connection in reversed(opened):
            connection.close()
        os.close(lock)
        if isinstance(error, StorageError):
            raise
        raise _storage_error(path, error) from error
    return Database(path, writer, reader, lock, queue_limit)


def _locked(path: Path) -> int:
    if path.is_dir():
        raise StorageError(f"{path}: is a directory; name a file in it")
    if not path.parent.is_dir():
        raise StorageError(f"{path}: the directory {path.parent} does not exist; create it or name another file")
    lock_path = path.with_name(path.name + ".lock")
    try:
        lock = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StorageError(
            f"{path}: cannot write in {path.parent}: {error.strerror}; this process runs as user {os.getuid()}"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(lock, 32).decode("ascii", "replace").strip() or "unknown"
        os.close(lock)
        raise StorageError(f"{path}: another process holds it (pid {holder}); stop that one first") from error
    os.truncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())
    return lock


def _prepare(writer: apsw.Connection, path: Path, schema: Schema, application: int) -> None:
    writer.set_busy_timeout(_BUSY_MS)
    found = _number(writer, "PRAGMA application_id")
    if found not in (0, application) or (found == 0 and _number(writer, "SELECT count(*) FROM sqlite_schema")):
        raise StorageError(f"{path}: is another program's database; name another file")
    if path.stat().st_size <= CHECKED_AT_OPEN_BYTES:
        words = next(iter(writer.execute("PRAGMA quick_check(1)")))[0]
        if words != "ok":
            raise DamagedError(_damaged(path, " ".join(str(words).split())))
    for setting in _SETTINGS:
        writer.execute(setting).fetchall()
    writer.execute(f"PRAGMA application_id={application}")
    with writer:
        writer.execute("CREATE TABLE IF NOT EXISTS schema_parts (part TEXT PRIMARY KEY, statements INTEGER NOT NULL)")
        for part, statements in schema.items():
            _grow(writer, path, part, statements)


def _grow(writer: apsw.Connection, path: Path, part: str, statements: Sequence[str]) -> None:
    done = _number(writer, "SELECT coalesce(max(statements), 0) FROM schema_parts WHERE part = ?", part)
    if done > len(statements):
        raise StorageError(f"{path}: written by a newer build ({part} {done}, this build knows {len(statements)})")
    for statement in statements[done:]:
        writer.execute(statement)
    writer.execute("INSERT OR REPLACE INTO schema_parts VALUES (?, ?)", (part, len(statements)))


def _number(connection: apsw.Connection, sql: str, *values: Value) -> int:
    return int(next(iter(connection.execute(sql, values)))[0])


def _damaged(path: Path, words: str) -> str:
    return f"{path}: damaged ({words}); restore a copy, or move it away to begin with an empty one"


def _storage_error(path: Path, error: apsw.Error) -> Exception:
    """`error` as somebody can mend it; itself when it is our mistake, such as bad SQL or a broken constraint."""
    words = {
        apsw.NotADBError: f"{path}: is not an SQLite database; move it away or name another file",
        apsw.CorruptError: _damaged(path, str(error)),
        apsw.FullError: f"{path}: the disk is full; make room",
        apsw.ReadOnlyError: f"{path}: cannot be written; check its owner, its mode and the file system",
        apsw.CantOpenError: f"{path}: cannot be opened; check its owner and mode",
        apsw.IOError: f"{path}: the disk failed: {error}",
        apsw.BusyError: f"{path}: another process holds it; stop that one first",
    }
    if isinstance(error, (apsw.NotADBError, apsw.CorruptError)):
        return DamagedError(words[type(error)])
    return StorageError(words[type(error)]) if type(error) in words else error
