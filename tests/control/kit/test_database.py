"""The database: what is acknowledged is kept, what is wrong is said in words."""

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import apsw
import pytest

from control.kit.database import open_database
from control.kit.errors import StorageError

SCHEMA = {"notes": ("CREATE TABLE notes (id INTEGER PRIMARY KEY, words TEXT UNIQUE NOT NULL)",)}


def opened(path, schema=None, **more):
    return open_database(path, schema or SCHEMA, application="TEST", **more)


def add(words):
    return lambda cursor: cursor.execute("INSERT INTO notes (words) VALUES (?)", (words,)) and None


async def test_what_was_written_is_read_at_once_and_after_reopening(tmp_path):
    database = opened(tmp_path / "a.db")
    await database.write(add("one"))
    assert database.row("SELECT words FROM notes") == ("one",)
    await database.close()
    database = opened(tmp_path / "a.db")
    assert database.rows("SELECT words FROM notes") == [("one",)]
    await database.close()


async def test_writes_that_wait_together_share_transactions_and_keep_their_order(tmp_path):
    database = opened(tmp_path / "a.db")
    await asyncio.gather(*(database.write(add(f"note {n}")) for n in range(500)))
    assert [words for (words,) in database.rows("SELECT words FROM notes ORDER BY id")] == [
        f"note {n}" for n in range(500)
    ]
    await database.close()


async def test_a_write_that_fails_leaves_its_neighbours_alone(tmp_path):
    database = opened(tmp_path / "a.db")

    def half(cursor):
        cursor.execute("INSERT INTO notes (words) VALUES ('half')")
        raise ValueError("no further")

    outcomes = await asyncio.gather(
        database.write(add("a")),
        database.write(half),
        database.write(add("a")),
        database.write(add("b")),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [type(None), ValueError, apsw.ConstraintError, type(None)]
    assert database.rows("SELECT words FROM notes ORDER BY words") == [("a",), ("b",)]
    await database.close()


async def test_a_caller_that_gives_up_does_not_stop_the_others(tmp_path):
    database = opened(tmp_path / "a.db")
    first = asyncio.ensure_future(database.write(add("a")))
    second = asyncio.ensure_future(database.write(add("b")))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert ("b",) in database.rows("SELECT words FROM notes")
    await database.close()


async def test_too_many_waiting_writes_are_refused(tmp_path):
    database = opened(tmp_path / "a.db", queue_limit=2)
    outcomes = await asyncio.gather(*(database.write(add(str(n))) for n in range(3)), return_exceptions=True)
    assert [isinstance(outcome, StorageError) for outcome in outcomes] == [False, False, True]
    assert "the disk does not keep up" in str(outcomes[2])
    await database.close()
    with pytest.raises(StorageError, match="closed"):
        await database.write(add("late"))


async def test_the_schema_grows_by_appended_statements(tmp_path):
    await opened(tmp_path / "a.db").close()
    grown = {"notes": (*SCHEMA["notes"], "ALTER TABLE notes ADD COLUMN at REAL NOT NULL DEFAULT 0")}
    database = opened(tmp_path / "a.db", grown)
    await database.write(add("one"))
    assert database.row("SELECT words, at FROM notes") == ("one", 0.0)
    await database.close()
    with pytest.raises(StorageError, match="written by a newer build"):
        opened(tmp_path / "a.db")


async def test_a_second_holder_is_refused_with_the_first_ones_pid(tmp_path):
    database = opened(tmp_path / "a.db")
    with pytest.raises(StorageError, match=f"another process holds it \\(pid {os.getpid()}\\)"):
        opened(tmp_path / "a.db")
    await database.close()
    await opened(tmp_path / "a.db").close()


def test_a_directory_that_is_missing_is_named(tmp_path):
    with pytest.raises(StorageError, match="nowhere does not exist; create it"):
        opened(tmp_path / "nowhere" / "a.db")


def test_a_path_that_is_a_directory_is_refused(tmp_path):
    with pytest.raises(StorageError, match="is a directory; name a file in it"):
        opened(tmp_path)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a directory that even root cannot write in")
def test_a_directory_that_cannot_be_written_in_is_named():
    with pytest.raises(StorageError, match="cannot write in /proc/self"):
        opened(Path("/proc/self/a.db"))


def test_a_file_that_is_no_database_is_left_alone(tmp_path):
    path = tmp_path / "a.db"
    path.write_bytes(b"holiday photographs " * 400)
    with pytest.raises(StorageError, match="is not an SQLite database"):
        opened(path)
    assert path.read_bytes() == b"holiday photographs " * 400


def test_another_programs_database_is_left_alone(tmp_path):
    path = tmp_path / "a.db"
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE theirs (id)")
    other.close()
    with pytest.raises(StorageError, match="another program's database"):
        opened(path)


async def test_a_damaged_file_is_reported_when_opened(tmp_path):
    path = tmp_path / "a.db"
    database = opened(path)
    await asyncio.gather(*(database.write(add("x" * 300 + str(n))) for n in range(200)))
    await database.close()
    body = bytearray(path.read_bytes())
    body[len(body) // 2 :] = os.urandom(len(body) - len(body) // 2)
    path.write_bytes(body)
    with pytest.raises(StorageError, match=r"damaged \(.*restore a copy"):
        opened(path)


async def test_a_failed_opening_can_be_tried_again(tmp_path):
    path = tmp_path / "a.db"
    path.write_bytes(b"no database at all, just words. " * 100)
    with pytest.raises(StorageError):
        opened(path)
    path.unlink()
    await opened(path).close()


WRITER = """
import asyncio, sys
from pathlib import Path
from control.kit.database import open_database

async def main():
    database = open_database(Path(sys.argv[1]), {"notes": (sys.argv[2],)}, application="TEST")
    number = 0
    while True:
        number += 1
        note = str(number)
        await database.write(lambda cursor: cursor.execute("INSERT INTO notes (words) VALUES (?)", (note,)) and None)
        print(number, flush=True)

asyncio.run(main())
"""


async def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path):
    path = tmp_path / "a.db"
    acknowledged = await asyncio.to_thread(acknowledged_until_killed, path)
    database = opened(path)
    assert [words for (words,) in database.rows("SELECT words FROM notes ORDER BY id")][:acknowledged] == [
        str(number) for number in range(1, acknowledged + 1)
    ]
    await database.close()


def acknowledged_until_killed(path):
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), SCHEMA["notes"][0]], stdout=subprocess.PIPE, text=True
    ) as writer:
        guard = threading.Timer(20.0, writer.kill)
        guard.start()
        acknowledged = [int(writer.stdout.readline()) for _ in range(50)][-1]
        writer.kill()
        guard.cancel()
        return max([acknowledged, *(int(line) for line in writer.stdout.read().split("\n")[:-1])])
