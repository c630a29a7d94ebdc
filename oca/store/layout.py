"""Where an object lies on a disk: key ↔ path. Pure.

    <disk>/oca-disk.json                                  identity
    <disk>/incoming/                                      what is being written or thrown away; emptied at start
    <disk>/segments/<title>/<rendition>/<object>          whole, verified objects and nothing else
    <disk>/segments/<title>/<rendition>/index.json        the rendition's index, there before any other object

Every name is checked against `control.wire.NAME_PATTERN`, so no key can point outside its disk.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from control.wire import is_name

IDENTITY = "oca-disk.json"
INCOMING = "incoming"
SEGMENTS = "segments"
INDEX = "index.json"


class RenditionKey(NamedTuple):
    """A rendition of a title."""

    title: str
    rendition: str

    def __str__(self) -> str:
        return f"{self.title}/{self.rendition}"

    @property
    def prefix(self) -> str:
        """What the keys of all its objects start with."""
        return f"{self.title}/{self.rendition}/"

    def object(self, name: str) -> ObjectKey:
        """The key of its object called `name`."""
        return ObjectKey(self.title, self.rendition, name)


class ObjectKey(NamedTuple):
    """An object of a rendition."""

    title: str
    rendition: str
    object: str

    def __str__(self) -> str:
        return f"{self.title}/{self.rendition}/{self.object}"

    @property
    def of(self) -> RenditionKey:
        """The rendition it belongs to."""
        return RenditionKey(self.title, self.rendition)


def parse_key(text: str) -> ObjectKey:
    """The key written as `title/rendition/object`. Raises ValueError when it is not one.

    >>> parse_key("film/v720p-1f3a/00001.m4s").object
    '00001.m4s'
    >>> parse_key("film/../x")
    Traceback (most recent call last):
    ValueError: 'film/../x' is not title/rendition/object: three names of letters, digits, '.', '_' and '-'
    """
    parts = text.split("/")
    if len(parts) != 3 or not all(is_name(part) for part in parts):
        raise ValueError(
            f"{text[:512]!r} is not title/rendition/object: three names of letters, digits, '.', '_' and '-'"
        )
    return ObjectKey(*parts)


def object_path(disk: Path, key: ObjectKey) -> Path:
    """Where `key` lies on `disk`. The names in `key` must have been checked."""
    return disk / SEGMENTS / key.title / key.rendition / key.object


def rendition_path(disk: Path, key: RenditionKey) -> Path:
    """The directory of a rendition on `disk`."""
    return disk / SEGMENTS / key.title / key.rendition


def title_path(disk: Path, title: str) -> Path:
    """The directory of a title on `disk`."""
    return disk / SEGMENTS / title


def key_of(disk: Path, path: Path) -> ObjectKey:
    """The key of the object at `path`: the inverse of `object_path`. Raises ValueError."""
    try:
        return parse_key(path.relative_to(disk / SEGMENTS).as_posix())
    except ValueError as error:
        raise ValueError(f"{path} is no object of the disk at {disk}") from error
