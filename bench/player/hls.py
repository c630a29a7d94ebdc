"""HLS playlists (RFC 8216bis) of VOD titles read into the common model.

Pure: text in, model out. What is malformed or not supported (live playlists, variables) raises
ManifestError with the line and what would be right. Unknown tags are ignored (RFC 8216bis, 6.3.1).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import urljoin

import msgspec

from bench.player import hls_grammar as grammar
from bench.player.hls_grammar import Attributes, bad
from bench.player.presentation import (
    DEFAULT_PATHWAY,
    RENDITIONS_LIMIT,
    SEGMENTS_LIMIT,
    ByteRange,
    Presentation,
    Rendition,
    Resource,
    Segment,
    SegmentIndex,
    Steering,
)

SHARED_INDEXES = 64
"""Parsed media playlists kept, so that many sessions of one title share one list."""

_AUDIO_CODECS = ("mp4a", "ac-3", "ec-3", "ac-4", "opus", "Opus", "flac", "fLaC", "alac")
_SAME_VARIANT = ("BANDWIDTH", "RESOLUTION", "CODECS", "FRAME-RATE", "VIDEO-RANGE")
_SAME_AUDIO = ("LANGUAGE", "NAME", "CHANNELS", "CODECS")


class _Listed(msgspec.Struct, frozen=True):
    """A rendition as one pathway lists it; equal `key`s on several pathways are one rendition."""

    key: str
    pathway: str
    rendition: Rendition


def parse_multivariant(text: str, url: str) -> Presentation:
    """The presentation in the multivariant playlist that was read from `url`. Raises ManifestError.

    Variants of different pathways are one rendition when their STABLE-VARIANT-ID, or else their bandwidth,
    resolution, codecs and frame rate, are equal.
    """
    variants: list[tuple[Attributes, str, int]] = []
    media: list[tuple[Attributes, str]] = []
    steering: Steering | None = None
    pending: tuple[Attributes, int] | None = None
    for line, tag, value in grammar.lines(text):
        if tag == "EXT-X-STREAM-INF":
            pending = (grammar.attributes(value, line), line)
        elif tag == "URI" and pending is not None:
            variants.append((pending[0], urljoin(url, value), pending[1]))
            pending = None
        elif tag == "EXT-X-MEDIA":
            media += _media(grammar.attributes(value, line), url, line)
        elif tag == "EXT-X-CONTENT-STEERING":
            steering = _steering(grammar.attributes(value, line), url, line)
        elif tag == "EXTINF":
            raise bad(line, "this is a media playlist; a multivariant playlist (EXT-X-STREAM-INF) is wanted")
        if len(variants) + len(media) > RENDITIONS_LIMIT:
            raise bad(line, f"more than {RENDITIONS_LIMIT} variants and renditions")
    if pending is not None:
        raise bad(pending[1], "EXT-X-STREAM-INF without the URI that belongs on the next line")
    if not variants:
        raise bad(1, "no EXT-X-STREAM-INF: there is nothing to play")
    return _presentation(variants, media, steering)


def _media(found: Attributes, url: str, line: int) -> list[tuple[Attributes, str]]:
    """An EXT-X-MEDIA tag, if it is audio with a playlist of its own."""
    for name in ("TYPE", "GROUP-ID", "NAME"):
        grammar.required(found, name, line)
    if found["TYPE"] != "AUDIO" or "URI" not in found:
        return []
    return [(found, urljoin(url, grammar.uri(found["URI"], line)))]


def _steering(found: Attributes, url: str, line: int) -> Steering:
    server = grammar.uri(grammar.required(found, "SERVER-URI", line), line)
    return Steering(url=urljoin(url, server), initial=found.get("PATHWAY-ID"))


def _presentation(
    variants: list[tuple[Attributes, str, int]], media: list[tuple[Attributes, str]], steering: Steering | None
) -> Presentation:
    listed = [_variant(*variant) for variant in variants]
    video = sorted(_merged(_ladder(listed)), key=lambda rendition: rendition.bandwidth_bps)
    groups = dict.fromkeys((found.get("PATHWAY-ID", DEFAULT_PATHWAY), found.get("AUDIO")) for found, _, _ in variants)
    audio = [
        _audio(found, url, pathway) for pathway, group in groups for found, url in media if found["GROUP-ID"] == group
    ]
    audio.sort(key=lambda entry: not entry[1])
    renditions = _merged(entry for entry, _ in audio)
    return Presentation(
        format="hls",
        pathways=tuple(dict.fromkeys(entry.pathway for entry in listed)),
        video=tuple(video),
        audio=renditions[0] if renditions else None,
        steering=steering,
    )


def _ladder(listed: list[_Listed]) -> Iterator[_Listed]:
    """The variants to switch between: video of the first one's codec family, each playlist of a pathway once.

    A playlist is listed again where it may go with other audio. Without video, the audio is the ladder.
    """
    video = [entry for entry in listed if entry.rendition.kind == "video"] or listed
    family = _family(video[0].rendition.codecs)
    seen: set[tuple[str, str]] = set()
    for entry in video:
        place = (entry.pathway, entry.rendition.locations[entry.pathway])
        if _family(entry.rendition.codecs) == family and place not in seen:
            seen.add(place)
            yield entry


def _family(codecs: str) -> str:
    """The video codec without its profile, such as `avc1`: what a player cannot switch between."""
    return next((codec.partition(".")[0].lower() for codec in _split(codecs) if not _is_audio(codec)), "")


def _split(codecs: str) -> list[str]:
    return [codec.strip() for codec in codecs.split(",") if codec.strip()]


def _is_audio(codec: str) -> bool:
    return codec.startswith(_AUDIO_CODECS)


def _variant(found: Attributes, url: str, line: int) -> _Listed:
    bandwidth_bps = grammar.integer(grammar.required(found, "BANDWIDTH", line), "BANDWIDTH", line)
    width, height = grammar.resolution(found["RESOLUTION"], line) if "RESOLUTION" in found else (0, 0)
    codecs = _split(found.get("CODECS", ""))
    only_audio = bool(codecs) and all(_is_audio(codec) for codec in codecs)
    pathway = found.get("PATHWAY-ID", DEFAULT_PATHWAY)
    named = found.get("STABLE-VARIANT-ID")
    rendition = Rendition(
        id=named or (f"{height}p-" if height else "") + f"{bandwidth_bps // 1000}k",
        kind="audio" if only_audio else "video",
        bandwidth_bps=bandwidth_bps,
        locations={pathway: url},
        codecs=found.get("CODECS", ""),
        width=width,
        height=height,
    )
    return _Listed(named or "|".join(found.get(name, "") for name in _SAME_VARIANT), pathway, rendition)


def _audio(found: Attributes, url: str, pathway: str) -> tuple[_Listed, bool]:
    """An audio rendition and whether it is the group's default."""
    named = found.get("STABLE-RENDITION-ID")
    language = found.get("LANGUAGE", "")
    rendition = Rendition(
        id=named or "-".join(part for part in ("audio", language) if part),
        kind="audio",
        bandwidth_bps=0,
        locations={pathway: url},
        language=language,
    )
    key = named or "|".join(found.get(name, "") for name in _SAME_AUDIO)
    return _Listed(key, pathway, rendition), found.get("DEFAULT") == "YES"


def _merged(entries: Iterable[_Listed]) -> list[Rendition]:
    """One rendition per key with the locations of all pathways; repeats on one pathway pair up in order."""
    renditions: dict[tuple[str, int], Rendition] = {}
    repeats: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        place = (entry.key, repeats[entry.key, entry.pathway])
        repeats[entry.key, entry.pathway] += 1
        known = renditions.get(place)
        if known is None:
            renditions[place] = entry.rendition
        else:
            known.locations.update(entry.rendition.locations)
    return _told_apart(renditions.values())


def _told_apart(renditions: Iterable[Rendition]) -> list[Rendition]:
    """The same renditions; ids that would be equal get a number."""
    uses: Counter[str] = Counter()
    told = []
    for rendition in renditions:
        uses[rendition.id] += 1
        use = uses[rendition.id]
        told.append(rendition if use == 1 else msgspec.structs.replace(rendition, id=f"{rendition.id}-{use}"))
    return told


@lru_cache(maxsize=SHARED_INDEXES)
def parse_media(text: str) -> SegmentIndex:
    """The segments in a media playlist, with URIs as written. Equal texts give the same object.

    Raises ManifestError.
    """
    segments: list[Segment] = []
    reader = _MediaReader()
    ended = False
    for line, tag, value in grammar.lines(text):
        ended = ended or tag == "EXT-X-ENDLIST"
        segment = reader.read(line, tag, value)
        if segment is not None:
            segments.append(segment)
        if len(segments) > SEGMENTS_LIMIT:
            raise bad(line, f"more than {SEGMENTS_LIMIT} segments")
    if not ended:
        raise bad(1, "no EXT-X-ENDLIST: live playlists are not supported")
    if not segments:
        raise bad(1, "no segments: there is nothing to play")
    return SegmentIndex(tuple(segments))


class _MediaReader:
    """What applies to the next segment (duration, byte range) and to all that follow (EXT-X-MAP)."""

    def __init__(self) -> None:
        self._at_s = 0.0
        self._duration_s: float | None = None
        self._range: tuple[int, int | None] | None = None
        self._last: tuple[str, int] | None = None
        self._init: Resource | None = None

    def read(self, line: int, tag: str, value: str) -> Segment | None:
        """One line; the segment that it completes, if it does."""
        if tag == "EXTINF":
            self._duration_s = grammar.decimal(value.partition(",")[0].strip(), "EXTINF", line)
        elif tag == "EXT-X-BYTERANGE":
            self._range = grammar.byte_range(value, line)
        elif tag == "EXT-X-MAP":
            self._init = _map(grammar.attributes(value, line), line)
        elif tag == "EXT-X-STREAM-INF":
            raise bad(line, "this is a multivariant playlist; a media playlist (EXTINF) is wanted")
        elif tag == "URI":
            return self._segment(value, line)
        return None

    def _segment(self, uri: str, line: int) -> Segment:
        if self._duration_s is None:
            raise bad(line, f"the segment {uri[:80]!r} has no EXTINF before it")
        resource = Resource(uri, self._byte_range(uri, line))
        segment = Segment(resource=resource, start_s=self._at_s, duration_s=self._duration_s, init=self._init)
        self._at_s = segment.end_s
        self._duration_s = None
        return segment

    def _byte_range(self, uri: str, line: int) -> ByteRange | None:
        """The pending range; one without an offset continues the last range of the same URI (4.4.4.2)."""
        if self._range is None:
            self._last = None
            return None
        length, offset = self._range
        self._range = None
        if offset is None:
            if self._last is None or self._last[0] != uri:
                raise bad(line, "EXT-X-BYTERANGE without an offset, and no range of this URI right before it")
            offset = self._last[1]
        self._last = (uri, offset + length)
        return (offset, length)


def _map(found: Attributes, line: int) -> Resource:
    uri = grammar.uri(grammar.required(found, "URI", line), line)
    if "BYTERANGE" not in found:
        return Resource(uri)
    length, offset = grammar.byte_range(found["BYTERANGE"], line)
    return Resource(uri, (offset or 0, length))
