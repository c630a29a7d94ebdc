"""What really lies on a disk, compared with the books. Blocking; runs on the disk's threads.

A rendition whose directory still has the time that the books noted is taken at its word, so a start with
warm books costs one `stat` per rendition. Any other is listed: what its index does not name, or names with
another size, is removed, and so is a rendition without a readable index. Checksums are not read here.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import xxhash

from control.wire import RenditionIndex, is_name
from oca.store.entry import Part, part_of
from oca.store.layout import INDEX, SEGMENTS, RenditionKey

RACY_NS = 2_000_000_000
"""A directory changed less than this before it was looked at may change again within one tick of its clock."""

_decoder = msgspec.json.Decoder(RenditionIndex)


@dataclass(frozen=True)
class Found:
    """A rendition that had to be listed."""

    key: RenditionKey
    index_bytes: int
    index_xxh3: str
    objects_total: int
    part: Part


@dataclass
class Survey:
    """What a scan found: taken at the books' word, listed, and removed (with why)."""

    unchanged: set[RenditionKey] = field(default_factory=set)
    listed: list[Found] = field(default_factory=list)
    removed: list[tuple[str, str]] = field(default_factory=list)


def scan(disk: Path, known: Mapping[RenditionKey, int], now_ns: int) -> Survey:
    """Compare `disk` with the books' directory times `known` (0: do not trust). Raises OSError."""
    survey = Survey()
    for title in _directories(disk / SEGMENTS, survey):
        for place in _directories(title, survey):
            key = RenditionKey(title.name, place.name)
            mtime_ns = place.stat().st_mtime_ns
            if known.get(key) == mtime_ns:
                survey.unchanged.add(key)
                continue
            found = look(place, key, now_ns, survey)
            if found is not None:
                survey.listed.append(found)
    return survey


def look(place: Path, key: RenditionKey, now_ns: int, survey: Survey) -> Found | None:
    """The rendition `key` in directory `place`; None when it had no readable index and was removed."""
    mtime_ns = place.stat().st_mtime_ns
    read = read_index(place / INDEX, key)
    if read is None:
        shutil.rmtree(place)
        survey.removed.append((str(key), "no readable index"))
        return None
    index, data = read
    sizes = {entry.name: entry.stat().st_size for entry in os.scandir(place) if entry.is_file(follow_symlinks=False)}
    part = part_of(index, sizes)
    held = {index.objects[position].name for position in part.positions()} | {INDEX}
    strangers = [entry.path for entry in os.scandir(place) if entry.name not in held]
    for stranger in strangers:
        _remove(Path(stranger))
        survey.removed.append((stranger, "not as the index says"))
    settled = not strangers and mtime_ns < now_ns - RACY_NS
    part.mtime_ns = mtime_ns if settled else 0
    digest = xxhash.xxh3_128_hexdigest(data)
    return Found(key, len(data), digest, len(index.objects), part)


def settled_time(place: Path, now_ns: int) -> int:
    """The time of directory `place`, 0 when it is too fresh to be relied on. Raises OSError."""
    mtime_ns = place.stat().st_mtime_ns
    return mtime_ns if mtime_ns < now_ns - RACY_NS else 0


def read_index(path: Path, key: RenditionKey) -> tuple[RenditionIndex, bytes] | None:
    """The index at `path` and its bytes; None when there is none that belongs to `key`. Raises OSError."""
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    try:
        index = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return (index, data) if (index.title, index.rendition) == tuple(key) else None


def _directories(place: Path, survey: Survey) -> list[Path]:
    found = []
    for entry in os.scandir(place):
        if entry.is_dir(follow_symlinks=False) and is_name(entry.name):
            found.append(Path(entry.path))
        else:
            _remove(Path(entry.path))
            survey.removed.append((entry.path, "not a directory of ours"))
    return found


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
