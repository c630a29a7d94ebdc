"""What HLS and DASH have in common: pathways, renditions, segments. Both parsers give this model.

Pure data. Nothing here fetches, and nothing here knows a playlist tag or an XML element.

A segment's URI stays relative to the place its list was read from, so that one list serves every
pathway and equal lists of many sessions can be one object in memory.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Literal
from urllib.parse import urljoin

import msgspec

from control.kit.errors import UserError

Format = Literal["hls", "dash"]
TrackKind = Literal["video", "audio"]
ByteRange = tuple[int, int]
"""Offset of the first byte, and how many."""

DEFAULT_PATHWAY = "."
"""The id of what is in no named pathway (RFC 8216bis, 4.4.6.2 PATHWAY-ID)."""

GRAIN_S = 0.001
URI_LIMIT = 4096
SEGMENTS_LIMIT = 100_000
RENDITIONS_LIMIT = 1000


class ManifestError(UserError):
    """A manifest that cannot be played. The message starts with its place: `hls:12:` or `dash:12: <S>:`."""


class Resource(msgspec.Struct, frozen=True):
    """Bytes to fetch: `uri` is relative to where its list lies; `byte_range` None means all of it."""

    uri: str
    byte_range: ByteRange | None = None


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """One media segment on the title's timeline, with the initialization it needs."""

    resource: Resource
    start_s: float
    duration_s: float
    init: Resource | None = None

    @property
    def end_s(self) -> float:
        """Where the next segment starts."""
        return self.start_s + self.duration_s


class SegmentIndex:
    """A rendition's segments in playing order."""

    __slots__ = ("_starts", "segments")

    def __init__(self, segments: tuple[Segment, ...]) -> None:
        self.segments = segments
        self._starts = [segment.start_s for segment in segments]

    def __repr__(self) -> str:
        return f"<SegmentIndex {len(self.segments)} segments, {self.end_s:.3f} s>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SegmentIndex) and self.segments == other.segments

    def __hash__(self) -> int:
        return hash(self.segments)

    @property
    def end_s(self) -> float:
        """Where the last segment ends; 0 without segments."""
        return self.segments[-1].end_s if self.segments else 0.0

    def at(self, position_s: float) -> int | None:
        """The number (from 0) of the segment to play at `position_s`; None from the end on.

        In a gap and before the first segment it is the next one. What is left of a segment counts only
        from `GRAIN_S` on: renditions cut at the same frame round its time differently.
        """
        number = max(bisect_right(self._starts, position_s) - 1, 0)
        while number < len(self.segments):
            if self.segments[number].end_s - position_s >= GRAIN_S:
                return number
            number += 1
        return None


class Rendition(msgspec.Struct, frozen=True, kw_only=True):
    """One encoding of one track.

    `locations`: pathway → URL that the segments' URIs are relative to; with `index` None (HLS) that URL
    is the media playlist, which must be read first.
    """

    id: str
    kind: TrackKind
    bandwidth_bps: int
    locations: dict[str, str]
    index: SegmentIndex | None = None
    codecs: str = ""
    width: int = 0
    height: int = 0
    language: str = ""


class Steering(msgspec.Struct, frozen=True, kw_only=True):
    """Where to ask for pathway priorities, and with which pathway to begin."""

    url: str
    initial: str | None = None
    before_start: bool = False
    """Ask before the first segment (DASH `queryBeforeStart`)."""


class Presentation(msgspec.Struct, frozen=True, kw_only=True):
    """A title as its manifest describes it. `video` is by ascending bandwidth; `audio` is one rendition or none."""

    format: Format
    pathways: tuple[str, ...]
    video: tuple[Rendition, ...]
    audio: Rendition | None = None
    steering: Steering | None = None

    @property
    def initial(self) -> str:
        """The pathway to begin with: the one steering names, else the first listed."""
        named = self.steering.initial if self.steering else None
        return named if named in self.pathways else self.pathways[0]


def resolve(location: str, resource: Resource) -> str:
    """The absolute URL of `resource`.

    >>> resolve("http://a/s/t/v/media.m3u8", Resource("00001.m4s"))
    'http://a/s/t/v/00001.m4s'
    """
    return urljoin(location, resource.uri)
