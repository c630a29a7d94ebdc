"""Encoding a feed into every rung in one run of ffmpeg.

Closed groups of pictures of exactly the segment's length, at the same times in every rung, so that a
player can switch between any two at every segment (RFC 8216, 6.2.4; ISO/IEC 23009-1, 7.3.3.2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from origin.ingest import tools
from origin.ingest.feed import PICTURE, SOUND, Feed
from origin.ingest.ladder import Rung, level, scaled

SEGMENT_S = 4
AUDIO_BPS = 128_000
AUDIO_NAME = "a128k"
PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower")

Progress = Callable[[float], None]
"""Called with the part done, 0 to 1."""


@dataclass(frozen=True)
class Effort:
    """How much work encoding may be. `threads` per encoder, 0: as many as cores; 1 makes the bytes repeatable."""

    preset: str = "veryfast"
    threads: int = 0
    time_limit_s: float | None = None

    def limit_s(self, duration_s: float) -> float:
        """The time limit for this much media: as set, or 20 times its length and two minutes."""
        return self.time_limit_s if self.time_limit_s is not None else 120 + 20 * duration_s


def encode(feed: Feed, rungs: Sequence[Rung], into: Path, effort: Effort, progress: Progress) -> dict[str, Path]:
    """Encode `feed`; the MP4 file of each rendition by name (`v720p`, `a128k`). Raises ToolError."""
    graph = into / "graph.txt"
    graph.write_text(graph_of(feed, rungs), encoding="utf-8")
    outputs = {rung.name: into / f"{rung.name}.mp4" for rung in rungs}
    command = [tools.ffmpeg(), "-nostdin", "-v", "error", "-progress", "pipe:1", "-nostats", "-y", *feed.inputs]
    command += ["-/filter_complex", str(graph)]
    for rung in rungs:
        command += ["-map", f"[{rung.name}]", *_video(rung, feed, effort), f"file:{outputs[rung.name]}"]
    if feed.has_sound:
        outputs[AUDIO_NAME] = into / f"{AUDIO_NAME}.mp4"
        command += ["-map", SOUND, *_audio(), f"file:{outputs[AUDIO_NAME]}"]
    tools.run(command, timeout_s=effort.limit_s(feed.duration_s), on_line=_reading(feed.duration_s, progress))
    return outputs


def graph_of(feed: Feed, rungs: Sequence[Rung]) -> str:
    """The feed's graph, its picture split and scaled for every rung."""
    split = "".join(f"[for_{rung.name}]" for rung in rungs)
    parts = [feed.graph, f"{PICTURE}split={len(rungs)}{split}"]
    for rung in rungs:
        size = scaled(feed.size, rung)
        scale = f"scale={size.width}:{size.height}:flags=bilinear,format=yuv420p,setsar=1"
        parts.append(f"[for_{rung.name}]{scale}[{rung.name}]")
    return ";".join(parts)


def group_of_pictures(frame_rate: Fraction) -> int:
    """Frames per segment: the fewest that last SEGMENT_S.

    >>> group_of_pictures(Fraction(25)), group_of_pictures(Fraction(30000, 1001))
    (100, 120)
    """
    return math.ceil(SEGMENT_S * frame_rate)


def _video(rung: Rung, feed: Feed, effort: Effort) -> list[str]:
    peak_bps = rung.rate_bps * 3 // 2
    group = str(group_of_pictures(feed.frame_rate))
    return [
        *("-c:v", "libx264", "-preset", effort.preset, "-threads", str(effort.threads)),
        *("-profile:v", rung.profile, "-level:v", level(scaled(feed.size, rung), feed.frame_rate, peak_bps)),
        *("-b:v", str(rung.rate_bps), "-maxrate", str(peak_bps), "-bufsize", str(2 * rung.rate_bps)),
        *("-g", group, "-keyint_min", group, "-sc_threshold", "0", "-x264-params", "open-gop=0"),
        *("-map_metadata", "-1"),
    ]


def _audio() -> list[str]:
    return ["-c:a", "aac", "-b:a", str(AUDIO_BPS), "-ac", "2", "-ar", "48000", "-map_metadata", "-1"]


def _reading(duration_s: float, progress: Progress) -> tools.Line:
    """Turns the lines of `-progress` into parts done."""

    def on_line(line: str) -> None:
        key, _, value = line.partition("=")
        if key == "out_time_us" and value.lstrip("-").isdigit():
            progress(min(1.0, max(0.0, int(value) / 1e6 / duration_s)) if duration_s > 0 else 0.0)

    return on_line
