"""The demo's title: made and published by `oca ingest`, kept between runs.

What is in the title is ingest's; where the store lies is the caller's.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.demo.child import Child, ChildError, last_words
from bench.demo.fleet import oca
from control.kit.errors import StorageError
from control.kit.quantity import human_bytes
from control.wire import Title, WireError, decode

NEEDED_BYTES = 1_000_000_000
"""Free space for the title, the store and what six disks of appliances hold of it."""


def require_space(directory: Path, *, needed_bytes: int = NEEDED_BYTES) -> None:
    """Raise StorageError when the file system of `directory` has too little room."""
    free = shutil.disk_usage(directory).free
    if free < needed_bytes:
        raise StorageError(
            f"{directory.absolute()}: {human_bytes(free)} free; the demo needs {human_bytes(needed_bytes)}: "
            "make room, or choose another place with --run-dir"
        )


async def make_title(*, store: Path, cache: Path, log: Path, seconds: int | None = None) -> Title:
    """The demo's title, published in `store`. What was encoded is kept in `cache` and taken from there.

    Raises ChildError with the end of the log when ingest fails.
    """
    command = [*oca(), "ingest", "--demo", "--store", str(store), "--cache", str(cache), "--json"]
    ingest = Child("ingest", command + (["--seconds", str(seconds)] if seconds else []), log)
    await ingest.start()
    try:
        status = await ingest.ended()
    finally:
        await ingest.kill()
    if status != 0:
        raise ChildError(f"making the title failed (status {status}): {last_words(ingest.tail())} (log: {log})")
    return published(store)


def published(store: Path) -> Title:
    """The title published last in `store`. Raises ChildError when there is none that can be read."""
    titles = sorted((store / "titles").glob("*.json"), key=lambda path: path.stat().st_mtime)
    if not titles:
        raise ChildError(f"{store}: ingest published no title")
    try:
        return decode(titles[-1].read_bytes(), Title)
    except WireError as error:
        raise ChildError(f"{titles[-1]}: {error}") from error
