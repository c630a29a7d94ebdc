"""Whether a title and its indexes can be believed. Pure.

Everything that manifests and plans are made from passes here once, before it is kept; nothing checks again later.
A title is refused as a whole: half a ladder is worse than the ladder before.
"""

from __future__ import annotations

import re

import xxhash

from control.wire import Rendition, RenditionIndex, StoredObject, Title, WireError, decode

INDEX_LIMIT_BYTES = 16 * 1024 * 1024
RENDITIONS_LIMIT = 256
DURATION_TOLERANCE_S = 5.0
"""How far a rendition may be from its title's duration: tracks end at frames and segments of their own."""

_CODECS = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,63}\Z")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*\Z")


class RefusedError(ValueError):
    """A title that is not published; the words say which statement is not true. The origin is at fault."""


def check_title(title: Title) -> None:
    """Raise RefusedError when manifests made from `title` could not be right."""
    if not title.renditions or len(title.renditions) > RENDITIONS_LIMIT:
        raise RefusedError(f"{len(title.renditions)} renditions; between 1 and {RENDITIONS_LIMIT} are right")
    if title.duration_ms == 0:
        raise RefusedError("lasts 0 ms")
    seen: set[str] = set()
    for rendition in title.renditions:
        if rendition.id in seen:
            raise RefusedError(f"{rendition.id}: listed twice")
        seen.add(rendition.id)
        _check_rendition(rendition)


def _check_rendition(rendition: Rendition) -> None:
    if not _CODECS.match(rendition.codecs):
        raise RefusedError(f"{rendition.id}: codecs {rendition.codecs!r} is not one RFC 6381 codec")
    if not _LANGUAGE.match(rendition.language):
        raise RefusedError(f"{rendition.id}: language {rendition.language!r} is not a BCP 47 tag")
    if rendition.index_bytes > INDEX_LIMIT_BYTES:
        raise RefusedError(f"{rendition.id}: index of {rendition.index_bytes} bytes; at most {INDEX_LIMIT_BYTES}")
    if rendition.kind == "video" and not (rendition.width and rendition.height and rendition.frame_rate):
        raise RefusedError(f"{rendition.id}: video without width, height or frame rate")
    if rendition.kind == "audio" and not rendition.channels:
        raise RefusedError(f"{rendition.id}: audio without channels")
    if rendition.average_bandwidth_bps > rendition.bandwidth_bps:
        raise RefusedError(f"{rendition.id}: average bandwidth above the peak")


def checked_index(title: Title, rendition: Rendition, body: bytes) -> RenditionIndex:
    """The index in `body`, which the origin sent as that of `rendition`. Raises RefusedError when it lies."""
    if len(body) != rendition.index_bytes:
        raise RefusedError(f"{rendition.id}: index has {len(body)} bytes, the title says {rendition.index_bytes}")
    digest = xxhash.xxh3_128_hexdigest(body)
    if digest != rendition.index_xxh3:
        raise RefusedError(f"{rendition.id}: index has xxh3 {digest}, the title says {rendition.index_xxh3}")
    try:
        index = decode(body, RenditionIndex)
    except WireError as error:
        raise RefusedError(f"{rendition.id}: {error}") from error
    if (index.title, index.rendition) != (title.id, rendition.id):
        raise RefusedError(f"{rendition.id}: index is that of {index.title}/{index.rendition}")
    if len(index.objects) != rendition.objects:
        raise RefusedError(f"{rendition.id}: {len(index.objects)} objects, the title says {rendition.objects}")
    if index.bytes != rendition.bytes:
        raise RefusedError(f"{rendition.id}: objects of {index.bytes} bytes, the title says {rendition.bytes}")
    _check_objects(title, rendition, index)
    return index


def _check_objects(title: Title, rendition: Rendition, index: RenditionIndex) -> None:
    """The names that manifests are made from: `init.mp4`, `media.m3u8`, `00001.m4s` and so on without a gap."""
    named: dict[str, list[StoredObject]] = {"init": [], "playlist": [], "media": []}
    for stored in index.objects:
        named[stored.kind].append(stored)
    for kind, name in (("init", "init.mp4"), ("playlist", "media.m3u8")):
        if [stored.name for stored in named[kind]] != [name]:
            raise RefusedError(f"{rendition.id}: needs exactly one {kind} object, called {name}")
    if not named["media"]:
        raise RefusedError(f"{rendition.id}: no media")
    for number, stored in enumerate(named["media"], start=1):
        if stored.name != f"{number:05d}.m4s":
            raise RefusedError(f"{rendition.id}: media {number} is called {stored.name}, not {number:05d}.m4s")
        if stored.duration == 0 or stored.bytes == 0:
            raise RefusedError(f"{rendition.id}: {stored.name} is empty")
    seconds = sum(stored.duration for stored in named["media"]) / index.timescale
    if abs(seconds - title.duration_ms / 1000) > DURATION_TOLERANCE_S:
        raise RefusedError(f"{rendition.id}: lasts {seconds:.1f} s, the title {title.duration_ms / 1000:.1f} s")
