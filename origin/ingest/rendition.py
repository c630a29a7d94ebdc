"""From a packaged directory to a rendition: read, checked, described, named after its bytes.

Nothing the packager says is trusted: codecs, durations and key frames are read from the segments. The
directory gets our `media.m3u8` and `index.json`. What does not hold together raises MediaError.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import xxhash

from control.wire import Rendition, RenditionIndex, StoredObject, encode
from origin.ingest.boxes import BoxError
from origin.ingest.encode import SEGMENT_S
from origin.ingest.errors import MediaError
from origin.ingest.package import INIT_NAME, SEGMENT_DIGITS, SEGMENT_PATTERN
from origin.ingest.playlist import Entry, media_playlist
from origin.ingest.tracks import Segment, Track, read_segment, read_track, without_times
from origin.storage.port import INDEX_NAME, PLAYLIST_NAME, Packaged


@dataclass(frozen=True)
class Cut:
    """One media segment as read back: its object and its time."""

    stored: StoredObject
    segment: Segment


def described(directory: Path, title: str, name: str, *, language: str = "und") -> Packaged:
    """The rendition in `directory`, its playlist and index written beside its segments. Raises MediaError."""
    try:
        track, init = _read_init(directory)
        cuts = [_read_cut(path, track) for path in sorted(directory.glob(SEGMENT_PATTERN))]
    except BoxError as error:
        raise MediaError(f"{name}: the packager wrote no usable MP4: {error}") from error
    _check(cuts, track, name)
    entries = [Entry(cut.stored.name, cut.segment.duration) for cut in cuts]
    playlist = _write(
        directory, PLAYLIST_NAME, "playlist", media_playlist(INIT_NAME, entries, track.timescale).encode()
    )
    objects = (init, *(cut.stored for cut in cuts), playlist)
    rendition_id = f"{name}-{digest(objects)}"
    index = RenditionIndex(title=title, rendition=rendition_id, timescale=track.timescale, objects=objects)
    written = _write(directory, INDEX_NAME, "playlist", encode(index))
    return Packaged(_rendition(index, track, cuts, written, language), directory, index)


def digest(objects: Sequence[StoredObject]) -> str:
    """Eight hexadecimal digits that change when any byte of any object does."""
    rows = "".join(f"{stored.name} {stored.bytes} {stored.xxh3}\n" for stored in objects)
    return xxhash.xxh3_128_hexdigest(rows.encode())[:8]


def _read_init(directory: Path) -> tuple[Track, StoredObject]:
    init = without_times((directory / INIT_NAME).read_bytes())
    return read_track(init), _write(directory, INIT_NAME, "init", init)


def _read_cut(path: Path, track: Track) -> Cut:
    data = path.read_bytes()
    try:
        segment = read_segment(data, track)
    except BoxError as error:
        raise BoxError(f"{path.name}: {error}") from error
    stored = StoredObject(
        name=path.name, kind="media", bytes=len(data), xxh3=xxhash.xxh3_128_hexdigest(data), duration=segment.duration
    )
    return Cut(stored, segment)


def _write(directory: Path, name: str, kind: str, data: bytes) -> StoredObject:
    (directory / name).write_bytes(data)
    xxh3 = xxhash.xxh3_128_hexdigest(data)
    return StoredObject(name=name, kind="init" if kind == "init" else "playlist", bytes=len(data), xxh3=xxh3)


def _check(cuts: Sequence[Cut], track: Track, name: str) -> None:
    """Segments numbered from 1 without a gap, each starting with a key frame where the last one ended."""
    if not cuts:
        raise MediaError(f"{name}: the packager wrote no segment")
    expected = 0
    for number, cut in enumerate(cuts, 1):
        if cut.stored.name != f"{number:0{SEGMENT_DIGITS}}.m4s":
            raise MediaError(f"{name}: segment {number} is missing; {cut.stored.name} is in its place")
        if cut.segment.decode_time != expected:
            raise MediaError(
                f"{name}: {cut.stored.name} starts at {cut.segment.decode_time}/{track.timescale} s, "
                f"but the segments before it end at {expected}/{track.timescale} s"
            )
        if track.kind == "video" and not cut.segment.starts_with_key:
            raise MediaError(
                f"{name}: {cut.stored.name} does not start with a key frame, players could not switch there"
            )
        expected += cut.segment.duration


def _rendition(
    index: RenditionIndex, track: Track, cuts: Sequence[Cut], written: StoredObject, language: str
) -> Rendition:
    ticks = sum(cut.segment.duration for cut in cuts)
    samples = sum(cut.segment.samples for cut in cuts)
    sizes = [(cut.stored.bytes, cut.segment.duration) for cut in cuts]
    return Rendition(
        id=index.rendition,
        kind=track.kind,
        codecs=track.codecs,
        bandwidth_bps=peak_bps(sizes, track.timescale),
        average_bandwidth_bps=_rate_bps(sum(size for size, _ in sizes), ticks, track.timescale),
        bytes=index.bytes,
        objects=len(index.objects),
        index_bytes=written.bytes,
        index_xxh3=written.xxh3,
        width=track.width,
        height=track.height,
        frame_rate=round(samples * track.timescale / ticks, 3) if track.kind == "video" else 0.0,
        channels=track.channels,
        sample_rate_hz=track.sample_rate_hz,
        language=language,
    )


def peak_bps(sizes: Sequence[tuple[int, int]], timescale: int) -> int:
    """The largest rate of contiguous segments that last 0.5 to 1.5 target durations (RFC 8216, 4.1).

    `sizes` are bytes and ticks. A short last segment counts together with the one before it.

    >>> peak_bps([(1000, 4), (3000, 4), (900, 1)], 1)
    6240
    """
    ticks = SEGMENT_S * timescale
    peak = 0
    for start in range(len(sizes)):
        total = length = 0
        for size, duration in sizes[start:]:
            total, length = total + size, length + duration
            if 2 * length > 3 * ticks:
                break
            if 2 * length >= ticks:
                peak = max(peak, _rate_bps(total, length, timescale))
    return peak or _rate_bps(sum(size for size, _ in sizes), sum(duration for _, duration in sizes), timescale)


def _rate_bps(size: int, ticks: int, timescale: int) -> int:
    """Bits per second, rounded up; at least 1."""
    return max(1, -(-size * 8 * timescale // max(ticks, 1)))
