"""What a user's file holds, and the feed that encodes it. Clear words for a file that is no video.

`examined` runs ffprobe; the rest is pure. Only local files are read: a playlist cannot make us fetch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from origin.ingest import tools
from origin.ingest.errors import SourceError, ToolError
from origin.ingest.feed import PICTURE, SOUND, Feed
from origin.ingest.ladder import Size

PROBE_LIMIT_S = 60.0
CONTAINERS = "mov,matroska,mpeg,mpegts,mpegvideo,avi,flv,asf,ogg,mxf,dv,ivf,nut,yuv4mpegpipe,gif"
"""What may be in a file. Playlists, images and lists of files are not among them: each names other files."""

ONLY_FILES = ("-protocol_whitelist", "file,pipe", "-format_whitelist", CONTAINERS)
_TELEVISION = tuple(Fraction(1000 * rate, 1001) for rate in (24, 30, 60))
STEADY_RATES = tuple(sorted((*map(Fraction, (10, 12, 15, 24, 25, 30, 48, 50, 60)), *_TELEVISION)))
"""The frame rates we encode in, in frames per second."""


@dataclass(frozen=True)
class Source:
    """A video file: the numbers of the streams to take, the picture as displayed."""

    picture: int
    sound: int | None
    size: Size
    frame_rate: Fraction
    duration_s: float
    interlaced: bool
    language: str


def examined(path: Path) -> Source:
    """What the file at `path` holds. Raises SourceError saying why it cannot be ingested."""
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from error
    if empty:
        raise SourceError(f"{path}: is empty")
    command = [tools.ffprobe(), "-v", "error", *ONLY_FILES, "-show_streams", "-show_format", "-of", "json"]
    try:
        answer = tools.run([*command, f"file:{path.absolute()}"], timeout_s=PROBE_LIMIT_S)
    except ToolError as error:
        raise SourceError(f"{path}: not a video that can be read (MP4, Matroska and the like are): {error}") from error
    return understood(json.loads(answer), str(path))


def understood(found: Mapping[str, Any], name: str) -> Source:
    """The source in ffprobe's description `found` of the file `name`. Raises SourceError."""
    streams = [each for each in found.get("streams", []) if not each.get("disposition", {}).get("attached_pic")]
    picture = next((each for each in streams if each.get("codec_type") == "video"), None)
    sound = next((each for each in streams if each.get("codec_type") == "audio"), None)
    if picture is None:
        what = "sound but no picture" if sound else "no picture"
        raise SourceError(f"{name}: has {what}; a title needs a video stream")
    duration_s = _number(picture.get("duration")) or _number(found.get("format", {}).get("duration"))
    if duration_s <= 0:
        raise SourceError(f"{name}: does not say how long it lasts: an image or a raw stream? Remux it into MP4 first")
    average = _fraction(picture.get("avg_frame_rate")) or _fraction(picture.get("r_frame_rate"))
    return Source(
        picture=int(picture["index"]),
        sound=int(sound["index"]) if sound else None,
        size=_displayed(picture, name),
        frame_rate=steady_rate(average),
        duration_s=duration_s,
        interlaced=picture.get("field_order", "progressive") not in {"progressive", "unknown"},
        language=(sound or {}).get("tags", {}).get("language", "und")[:35],
    )


def steady_rate(average: Fraction) -> Fraction:
    """The rate to encode in: the standard one within 1 % of `average`, else the next above it, at most 60.

    >>> str(steady_rate(Fraction(2997, 100))), str(steady_rate(Fraction(27))), str(steady_rate(Fraction(240)))
    ('30000/1001', '30000/1001', '60')
    """
    if average <= 0:
        return Fraction(25)
    nearest = min(STEADY_RATES, key=lambda rate: abs(rate - average))
    if abs(nearest - average) * 100 <= average:
        return nearest
    return next((rate for rate in STEADY_RATES if rate >= average), STEADY_RATES[-1])


def feed_of(path: Path, source: Source, *, seconds: float | None = None) -> Feed:
    """The feed of the file at `path`, at most its first `seconds`; sound padded or cut to the picture."""
    length_s = source.duration_s if seconds is None else min(seconds, source.duration_s)
    fields = "bwdif=mode=send_frame," if source.interlaced else ""
    graph = [f"[0:{source.picture}]{fields}fps={source.frame_rate}:start_time=0,trim=end={length_s}{PICTURE}"]
    if source.sound is not None:
        steady = "aresample=48000:async=1:first_pts=0"
        graph.append(f"[0:{source.sound}]{steady},apad,atrim=end={length_s}{SOUND}")
    return Feed(
        inputs=(*ONLY_FILES, "-i", f"file:{path.absolute()}"),
        graph=";".join(graph),
        size=source.size,
        frame_rate=source.frame_rate,
        duration_s=length_s,
        has_sound=source.sound is not None,
        language=source.language,
    )


def _displayed(picture: Mapping[str, Any], name: str) -> Size:
    """The size as people see it: pixels made square, turned upright."""
    width, height = int(picture.get("width", 0)), int(picture.get("height", 0))
    if width <= 0 or height <= 0:
        raise SourceError(f"{name}: its picture has no size; the file is damaged")
    aspect = _fraction(str(picture.get("sample_aspect_ratio", "1:1")).replace(":", "/")) or Fraction(1)
    width = max(2, round(width * aspect))
    turned = any(
        int(_number(side.get("rotation"))) % 180 == 90  # ffprobe: degrees, also negative
        for side in picture.get("side_data_list", [])
    )
    return Size(height, width) if turned else Size(width, height)


def _number(text: object) -> float:
    try:
        return float(str(text))
    except ValueError:
        return 0.0


def _fraction(text: object) -> Fraction:
    try:
        return Fraction(str(text))
    except (ValueError, ZeroDivisionError):
        return Fraction(0)
