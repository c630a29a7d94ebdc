"""Publishing into a directory: all of a title or nothing, whatever instant the process is killed at.

The order is the guarantee. Every file of a rendition is written under a hidden directory and fsynced; the
directory is renamed to the rendition's name; the title's file, which makes it visible, is renamed last.
One publisher at a time holds the lock, so what is hidden then was left by a dead one and is removed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import xxhash

from control.kit.errors import StorageError
from control.wire import Title, WireError, decode, encode
from origin.storage.lock import locked
from origin.storage.port import INDEX_NAME, Packaged, Published

SEGMENTS, TITLES, SUFFIX = "segments", "titles", ".json"
LOCK_NAME, HIDDEN = ".publishing", ".new-"
LOCK_WAIT_S = 60.0
_COPY_BYTES = 1024 * 1024

Step = Callable[[str], None]
"""Told the name of each step before it is taken; a test stops the process there."""


def publish(
    root: Path,
    title: Title,
    renditions: Sequence[Packaged],
    *,
    replace: bool = False,
    dry_run: bool = False,
    step: Step = lambda _: None,
) -> Published:
    """Publish `title` with `renditions` under `root`. Raises StorageError, with nothing of it visible.

    Publishing what is there already changes nothing. A rendition whose files were damaged is replaced,
    another title of the same id only with `replace`.
    """
    assert [packaged.rendition for packaged in renditions] == list(title.renditions)
    try:
        present = _present(root, title.id)
        same = present is not None and msgspec.structs.replace(title, published_at=present.published_at) == present
        missing = [packaged for packaged in renditions if not _complete(root, title.id, packaged)]
        if present is not None and same and not missing:
            return Published(present, changed=False, bytes_written=0)
        if present is not None and not same and not replace:
            raise StorageError(
                f"store {root}: holds another title {title.id!r}, {present.name!r}; "
                "choose another id with --title, or give --replace"
            )
        size = sum(packaged.rendition.bytes + packaged.rendition.index_bytes for packaged in missing)
        if not dry_run:
            _place(root, title, missing, step)
    except OSError as error:
        raise StorageError(f"{error.filename or root}: {title.id} cannot be published: {error.strerror}") from error
    return Published(title, changed=True, bytes_written=size)


def _place(root: Path, title: Title, missing: Sequence[Packaged], step: Step) -> None:
    (root / SEGMENTS).mkdir(parents=True, exist_ok=True)
    (root / TITLES).mkdir(exist_ok=True)
    with locked(root / LOCK_NAME, wait_s=LOCK_WAIT_S):
        _remove_hidden(root)
        for packaged in missing:
            _place_rendition(root, title.id, packaged, step)
        _place_title(root, title, step)


def _present(root: Path, title_id: str) -> Title | None:
    try:
        return decode((root / TITLES / f"{title_id}{SUFFIX}").read_bytes(), Title)
    except (FileNotFoundError, WireError):
        return None


def _complete(root: Path, title_id: str, packaged: Packaged) -> bool:
    """Whether the store has every file of the rendition at its size."""
    directory = root / SEGMENTS / title_id / packaged.rendition.id
    try:
        return all((directory / name).stat().st_size == size for name, size, _ in _files(packaged))
    except (FileNotFoundError, NotADirectoryError):
        return False


def _files(packaged: Packaged) -> Iterator[tuple[str, int, str]]:
    """Name, bytes and xxh3 of every file of a rendition, the index last."""
    for stored in packaged.index.objects:
        yield stored.name, stored.bytes, stored.xxh3
    yield INDEX_NAME, packaged.rendition.index_bytes, packaged.rendition.index_xxh3


def _remove_hidden(root: Path) -> None:
    for left in [*(root / SEGMENTS).glob(f"*/{HIDDEN}*"), *(root / TITLES).glob(f"{HIDDEN}*")]:
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()


def _place_rendition(root: Path, title_id: str, packaged: Packaged, step: Step) -> None:
    final = root / SEGMENTS / title_id / packaged.rendition.id
    fresh = final.with_name(f"{HIDDEN}{final.name}")
    final.parent.mkdir(exist_ok=True)
    fresh.mkdir()
    for name, size, xxh3 in _files(packaged):
        step(f"file {name}")
        _copy(packaged.directory / name, fresh / name, size, xxh3)
    _sync(fresh)
    if final.exists():
        step(f"aside {final.name}")
        final.rename(final.with_name(f"{HIDDEN}damaged-{final.name}"))
    step(f"rendition {final.name}")
    fresh.rename(final)
    _sync(final.parent)
    _remove_hidden(root)


def _copy(source: Path, target: Path, size: int, xxh3: str) -> None:
    """Copy and fsync; raises StorageError when the bytes are not those that the index lists."""
    seen = xxhash.xxh3_128()
    copied = 0
    with source.open("rb") as reader, target.open("xb") as writer:
        while piece := reader.read(_COPY_BYTES):
            seen.update(piece)
            copied += len(piece)
            writer.write(piece)
        writer.flush()
        os.fsync(writer.fileno())
    if copied != size or seen.hexdigest() != xxh3:
        raise StorageError(f"{source}: {copied} bytes are not the {size} bytes its index lists; make the title again")


def _place_title(root: Path, title: Title, step: Step) -> None:
    _sync(root / SEGMENTS)
    fresh = root / TITLES / f"{HIDDEN}{title.id}"
    step("title written")
    with fresh.open("xb") as writer:
        writer.write(encode(title))
        writer.flush()
        os.fsync(writer.fileno())
    step("title renamed")
    fresh.rename(root / TITLES / f"{title.id}{SUFFIX}")
    _sync(root / TITLES)
    step("done")


def _sync(directory: Path) -> None:
    """Make the names in `directory` survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
