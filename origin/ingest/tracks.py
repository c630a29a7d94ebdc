"""What an init segment says about its track, and a media segment about its time.

Pure; on top of `boxes.py`. Only what our own manifests and checks need: one track per file, AVC or AAC
(ISO/IEC 14496-12, 8.4 to 8.8; ISO/IEC 23000-19 for the one-track rule).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from origin.ingest.boxes import Box, BoxError, boxes, whole
from origin.ingest.codec_strings import aac_string, avc_string

_VISUAL_FIELDS, _AUDIO_FIELDS = 78, 28
_NOT_SYNC = 0x10000
_DATA_OFFSET, _FIRST_FLAGS = 0x1, 0x4
_SAMPLE_DURATION, _SAMPLE_SIZE, _SAMPLE_FLAGS, _SAMPLE_OFFSET = 0x100, 0x200, 0x400, 0x800
SAMPLES_LIMIT = 1_000_000


@dataclass(frozen=True)
class Track:
    """One track. `timescale` is in ticks per second; the defaults are those of its trex box."""

    kind: Literal["video", "audio"]
    codecs: str
    timescale: int
    width: int = 0
    height: int = 0
    channels: int = 0
    sample_rate_hz: int = 0
    default_duration: int = 0
    default_flags: int = 0


@dataclass(frozen=True)
class Segment:
    """When a media segment starts and how long it lasts, in ticks, and whether decoding can start with it."""

    decode_time: int
    duration: int
    samples: int
    starts_with_key: bool


def read_track(init: bytes) -> Track:
    """The one track that an init segment describes. Raises BoxError."""
    moov = whole(init).child("moov")
    found = [box for box in moov.children() if box.kind == "trak"]
    if len(found) != 1:
        raise BoxError(f"moov holds {len(found)} tracks, not one")
    mdia = found[0].child("mdia")
    mdhd = mdia.child("mdhd")
    timescale = mdhd.uint(20 if mdhd.version == 1 else 12, 4)
    if timescale == 0:
        raise BoxError("mdhd has timescale 0")
    trex = moov.within("mvex", "trex")
    entry = next(mdia.within("minf", "stbl", "stsd").children(skip=8), None)
    return _described(entry, timescale, trex.uint(12, 4), trex.uint(20, 4))


def _described(entry: Box | None, timescale: int, default_duration: int, default_flags: int) -> Track:
    """The track that a sample entry describes (ISO/IEC 14496-12, 12.1.3 and 12.2.3)."""
    if entry is not None and entry.kind in {"avc1", "avc3"}:
        return Track(
            kind="video",
            codecs=avc_string(entry.child("avcC", _VISUAL_FIELDS).body),
            timescale=timescale,
            width=entry.uint(24, 2),
            height=entry.uint(26, 2),
            default_duration=default_duration,
            default_flags=default_flags,
        )
    if entry is not None and entry.kind == "mp4a":
        return Track(
            kind="audio",
            codecs=aac_string(entry.child("esds", _AUDIO_FIELDS).body[4:]),
            timescale=timescale,
            channels=entry.uint(16, 2),
            sample_rate_hz=entry.uint(24, 4) >> 16,
            default_duration=default_duration,
            default_flags=default_flags,
        )
    raise BoxError(f"sample entry {entry.kind if entry else '(none)'} is neither AVC nor AAC")


def without_times(init: bytes) -> bytes:
    """`init` with the creation and modification times of mvhd, tkhd and mdhd set to 0.

    A packager writes the time of day there; without it the same media is the same bytes.
    """
    moov = whole(init).child("moov")
    stamped = [moov.child("mvhd")]
    for trak in moov.children():
        if trak.kind == "trak":
            stamped += [trak.child("tkhd"), trak.within("mdia", "mdhd")]
    cleared = bytearray(init)
    for box in stamped:
        length = 16 if box.version == 1 else 8
        box.uint(4 + length - 4, 4)
        cleared[box.start + 4 : box.start + 4 + length] = bytes(length)
    return bytes(cleared)


def read_segment(data: bytes, track: Track) -> Segment:
    """The time of a media segment: of all its fragments. Raises BoxError, also when they leave a gap."""
    fragments = [_fragment(box, track) for box in boxes(data) if box.kind == "moof"]
    if not fragments:
        raise BoxError("no moof: not a media segment")
    end = fragments[0].decode_time
    for fragment in fragments:
        if fragment.decode_time != end:
            raise BoxError(f"fragment starts at {fragment.decode_time}, the one before it ends at {end}")
        end += fragment.duration
    return Segment(
        decode_time=fragments[0].decode_time,
        duration=end - fragments[0].decode_time,
        samples=sum(fragment.samples for fragment in fragments),
        starts_with_key=fragments[0].starts_with_key,
    )


def _fragment(moof: Box, track: Track) -> Segment:
    traf = moof.child("traf")
    tfdt = traf.child("tfdt")
    decode_time = tfdt.uint(4, 8 if tfdt.version == 1 else 4)
    duration, flags = _defaults(traf.child("tfhd"), track)
    samples = [sample for trun in traf.children() if trun.kind == "trun" for sample in _samples(trun, duration, flags)]
    if not samples:
        raise BoxError("a fragment without samples")
    return Segment(
        decode_time=decode_time,
        duration=sum(ticks for ticks, _ in samples),
        samples=len(samples),
        starts_with_key=not samples[0][1] & _NOT_SYNC,
    )


def _defaults(tfhd: Box, track: Track) -> tuple[int, int]:
    """Duration and flags of samples that do not say (8.8.7)."""
    present, at = tfhd.flags, 8
    at += 8 if present & 0x1 else 0
    at += 4 if present & 0x2 else 0
    duration, flags = track.default_duration, track.default_flags
    if present & 0x8:
        duration, at = tfhd.uint(at, 4), at + 4
    at += 4 if present & 0x10 else 0
    if present & 0x20:
        flags = tfhd.uint(at, 4)
    return duration, flags


def _samples(trun: Box, duration: int, flags: int) -> Iterator[tuple[int, int]]:
    """Ticks and flags of each sample of a run (8.8.8)."""
    present, count, at = trun.flags, trun.uint(4, 4), 8
    if count > SAMPLES_LIMIT:
        raise BoxError(f"trun of {count} samples: at most {SAMPLES_LIMIT} are read")
    at += 4 if present & _DATA_OFFSET else 0
    first_flags = flags
    if present & _FIRST_FLAGS:
        first_flags, at = trun.uint(at, 4), at + 4
    for number in range(count):
        ticks, own_flags = duration, first_flags if number == 0 else flags
        if present & _SAMPLE_DURATION:
            ticks, at = trun.uint(at, 4), at + 4
        at += 4 if present & _SAMPLE_SIZE else 0
        if present & _SAMPLE_FLAGS:
            own_flags, at = trun.uint(at, 4), at + 4
        at += 4 if present & _SAMPLE_OFFSET else 0
        yield ticks, own_flags
