"""The HLS media playlist of one rendition (RFC 8216).

Pure. URIs are relative, so the same bytes serve from the origin and from every appliance; what differs
per session (pathways, steering) is in the master playlist that control makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

VERSION = 7
CONTENT_TYPE = "application/vnd.apple.mpegurl"


@dataclass(frozen=True)
class Entry:
    """One media segment: its relative URI and its duration in ticks."""

    uri: str
    duration: int


def media_playlist(init_uri: str, entries: Sequence[Entry], timescale: int) -> str:
    r"""The playlist of a finished rendition, ticks as exact decimals of a microsecond.

    >>> print(media_playlist("init.mp4", [Entry("00001.m4s", 360000), Entry("00002.m4s", 90000)], 90000), end="")
    #EXTM3U
    #EXT-X-VERSION:7
    #EXT-X-TARGETDURATION:4
    #EXT-X-PLAYLIST-TYPE:VOD
    #EXT-X-INDEPENDENT-SEGMENTS
    #EXT-X-MEDIA-SEQUENCE:1
    #EXT-X-MAP:URI="init.mp4"
    #EXTINF:4.000000,
    00001.m4s
    #EXTINF:1.000000,
    00002.m4s
    #EXT-X-ENDLIST
    """
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{target_duration_s([entry.duration for entry in entries], timescale)}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        "#EXT-X-MEDIA-SEQUENCE:1",
        f'#EXT-X-MAP:URI="{init_uri}"',
    ]
    for entry in entries:
        lines += [f"#EXTINF:{_seconds(entry.duration, timescale)},", entry.uri]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def target_duration_s(durations: Sequence[int], timescale: int) -> int:
    """The longest duration rounded to the nearest second, at least 1 (RFC 8216, 4.3.3.1).

    >>> target_duration_s([4_011, 3_989], 1000), target_duration_s([400], 1000)
    (4, 1)
    """
    longest = max(durations, default=0)
    return max(1, (2 * longest + timescale) // (2 * timescale))


def _seconds(ticks: int, timescale: int) -> str:
    """Ticks as seconds with six decimals, rounded to nearest; integers only, so nothing drifts."""
    micros = (2 * ticks * 1_000_000 + timescale) // (2 * timescale)
    return f"{micros // 1_000_000}.{micros % 1_000_000:06d}"
