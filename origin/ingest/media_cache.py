"""Made media kept between runs: a directory per digest of everything that decides the bytes.

An entry appears by a rename when it is complete, and is checked byte by byte when used; a damaged one is
made again. At most ENTRIES_LIMIT entries are kept, the longest unused go first.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import msgspec
import xxhash

from control.kit.errors import StorageError
from control.wire import Rendition, RenditionIndex, decode
from origin.storage.lock import locked
from origin.storage.port import INDEX_NAME, Packaged

ENTRIES_LIMIT = 8
LOCK_WAIT_S = 3600.0
MADE_NAME = "made.json"
_BUILDING = ".building-"


class Made(msgspec.Struct, frozen=True):
    """What one entry holds: for each rendition its directory in the entry."""

    directories: tuple[str, ...]
    renditions: tuple[Rendition, ...]


def key_of(parameters: Mapping[str, object]) -> str:
    """The key of media made with `parameters`: equal parameters, equal key."""
    return xxhash.xxh3_128_hexdigest(msgspec.json.encode(parameters, order="deterministic"))


def digest_of_file(path: Path) -> str:
    """The xxh3 of a file's bytes, to tell sources apart."""
    seen = xxhash.xxh3_128()
    with path.open("rb") as file:
        while piece := file.read(1024 * 1024):
            seen.update(piece)
    return seen.hexdigest()


class MediaCache:
    """Entries under one directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __repr__(self) -> str:
        return f"<MediaCache {self.root}>"

    def find(self, key: str) -> tuple[Packaged, ...] | None:
        """The renditions of entry `key`; None when there is none or its bytes are not what they were."""
        entry = self.root / key
        try:
            made = msgspec.json.decode((entry / MADE_NAME).read_bytes(), type=Made)
            pairs = zip(made.directories, made.renditions, strict=True)
            packaged = tuple(_checked(entry / directory, rendition) for directory, rendition in pairs)
            os.utime(entry)
        except (OSError, ValueError):
            return None
        return packaged

    def make(self, key: str, build: Callable[[Path], tuple[Packaged, ...]]) -> tuple[Packaged, ...]:
        """What `build` makes in the empty directory it is given, kept as entry `key`. Raises what it raises.

        When another process is making the same entry, waits for it and takes what it made.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with locked(self.root / f".lock-{key}", wait_s=LOCK_WAIT_S):
                found = self.find(key)
                return found if found is not None else self._build(key, build)
        except OSError as error:
            raise StorageError(f"cache {error.filename or self.root}: cannot be written: {error.strerror}") from error

    def _build(self, key: str, build: Callable[[Path], tuple[Packaged, ...]]) -> tuple[Packaged, ...]:
        entry, place, kept = self.root / key, self.root / f"{_BUILDING}{key}", self.root / f"{_BUILDING}{key}" / key
        shutil.rmtree(place, ignore_errors=True)
        kept.mkdir(parents=True)
        try:
            built = build(place)
            for packaged in built:
                packaged.directory.rename(kept / packaged.directory.name)
            made = Made(tuple(each.directory.name for each in built), tuple(each.rendition for each in built))
            (kept / MADE_NAME).write_bytes(msgspec.json.encode(made))
            shutil.rmtree(entry, ignore_errors=True)
            kept.rename(entry)
        finally:
            shutil.rmtree(place, ignore_errors=True)
        self._forget_the_oldest()
        return tuple(replace(each, directory=entry / each.directory.name) for each in built)

    def _forget_the_oldest(self) -> None:
        entries = [each for each in self.root.iterdir() if (each / MADE_NAME).is_file()]
        entries.sort(key=lambda each: each.stat().st_mtime, reverse=True)
        for entry in entries[ENTRIES_LIMIT:]:
            shutil.rmtree(entry, ignore_errors=True)
            (self.root / f".lock-{entry.name}").unlink(missing_ok=True)


def _checked(directory: Path, rendition: Rendition) -> Packaged:
    """The rendition in `directory`. Raises ValueError or OSError when a byte is not what it was."""
    data = (directory / INDEX_NAME).read_bytes()
    if xxhash.xxh3_128_hexdigest(data) != rendition.index_xxh3:
        raise ValueError(f"{directory}: the index was changed")
    index = decode(data, RenditionIndex)
    for stored in index.objects:
        if digest_of_file(directory / stored.name) != stored.xxh3:
            raise ValueError(f"{directory / stored.name} was changed")
    return Packaged(rendition, directory, index)
