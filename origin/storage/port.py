"""What the origin needs of a place that keeps titles. The directory in `directory.py` is one; S3 is another.

Only types. Blocking calls: the application runs them in a thread, ingest calls them as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from control.wire import CatalogPage, Rendition, RenditionIndex, Title

INDEX_NAME = "index.json"
PLAYLIST_NAME = "media.m3u8"


@dataclass(frozen=True)
class Packaged:
    """A finished rendition, not yet published: its description, the directory with its objects, its index."""

    rendition: Rendition
    directory: Path
    index: RenditionIndex

    @property
    def duration_ms(self) -> int:
        """How long it plays, to the nearest millisecond."""
        ticks = sum(stored.duration for stored in self.index.objects)
        return (2 * ticks * 1000 + self.index.timescale) // (2 * self.index.timescale)

    @property
    def cuts(self) -> tuple[Fraction, ...]:
        """The duration of every media segment in seconds."""
        media = (stored.duration for stored in self.index.objects if stored.kind == "media")
        return tuple(Fraction(ticks, self.index.timescale) for ticks in media)


@dataclass(frozen=True)
class Opened:
    """An object open for reading: its file descriptor, which the receiver closes, and its size in bytes."""

    descriptor: int
    bytes: int


@dataclass(frozen=True)
class Published:
    """What publishing did. `changed` is False when the very same title was there already."""

    title: Title
    changed: bool
    bytes_written: int


class Storage(Protocol):
    """Titles and their objects. Every method raises StorageError when the place itself cannot be used."""

    @property
    def broken(self) -> Mapping[str, str]:
        """Titles that cannot be read, with the reason; pages leave them out."""

    def check(self) -> None:
        """Return when titles can be read here."""

    def open(self, title: str, rendition: str, name: str) -> Opened | None:
        """The object of that key, or None when there is none. Names that are not `Name`s have none."""

    def title(self, title_id: str) -> Title | None:
        """The published title, or None."""

    def page(self, after: str, limit: int) -> CatalogPage:
        """Up to `limit` titles whose ids come after `after`, by id."""

    def publish(
        self, title: Title, renditions: Sequence[Packaged], *, replace: bool = False, dry_run: bool = False
    ) -> Published:
        """Make `title` visible with all its renditions, or leave everything as it was.

        A title of that id with other content is an error without `replace`. Renditions that were
        replaced stay, for players in the middle of them.
        """
