"""The ladder: which sizes and rates a video is encoded in, and what H.264 level each needs.

Pure. A rung is named by its short side, as people do (720p), so an upright video gets upright rungs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from control.kit.quantity import BitsPerSecond
from origin.ingest.errors import SourceError

SIDE_LIMIT = 4320
_RUNG = re.compile(r"^\s*(\d{2,4})p?\s*:\s*(\S+)\s*$")

_LEVELS = (
    ("1.1", 3_000, 396, 192),
    ("1.2", 6_000, 396, 384),
    ("1.3", 11_880, 396, 768),
    ("2.1", 19_800, 792, 4_000),
    ("3.0", 40_500, 1_620, 10_000),
    ("3.1", 108_000, 3_600, 14_000),
    ("3.2", 216_000, 5_120, 20_000),
    ("4.0", 245_760, 8_192, 20_000),
    ("4.2", 522_240, 8_704, 50_000),
    ("5.0", 589_824, 22_080, 135_000),
    ("5.1", 983_040, 36_864, 240_000),
    ("5.2", 2_073_600, 36_864, 240_000),
    ("6.2", 16_711_680, 139_264, 800_000),
)
"""Level, macroblocks a second, macroblocks a frame, kbit/s: ITU-T H.264, table A-1 (Main profile's rates)."""


@dataclass(frozen=True)
class Rung:
    """One video rendition to make: the short side in pixels, the average rate, the H.264 profile."""

    short_side: int
    rate_bps: int
    profile: str = "high"

    @property
    def name(self) -> str:
        """What a rendition id starts with: `v720p`."""
        return f"v{self.short_side}p"


@dataclass(frozen=True)
class Size:
    """A picture's size in pixels, both sides even."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


LADDER = (Rung(360, 600_000, "main"), Rung(480, 1_200_000), Rung(720, 2_500_000))


def parse_rung(text: str) -> Rung:
    """A rung from `720p:2500kbps`. Raises ValueError saying what is wrong.

    >>> parse_rung("480:1.2Mbps")
    Rung(short_side=480, rate_bps=1200000, profile='high')
    """
    match = _RUNG.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not a rung such as 720p:2500kbps")
    side, rate = int(match.group(1)), BitsPerSecond.parse(match.group(2))
    if side % 2 or not 90 <= side <= SIDE_LIMIT:
        raise ValueError(f"{text!r}: the short side must be even and between 90 and {SIDE_LIMIT} pixels")
    if not 10_000 <= rate <= 200_000_000:
        raise ValueError(f"{text!r}: the rate must be between 10kbps and 200Mbps")
    return Rung(side, int(rate), "main" if side <= 360 else "high")


def chosen(rungs: Sequence[Rung], source: Size) -> tuple[Rung, ...]:
    """The rungs not above `source`, lowest first; below all of them, one rung of the source's own size.

    >>> chosen(LADDER, Size(854, 480))[-1].name, chosen(LADDER, Size(320, 240))[0].name
    ('v480p', 'v240p')
    """
    short = min(source.width, source.height)
    if short < 16:
        raise SourceError(f"a picture of {source} is too small to encode; at least 16 pixels a side are needed")
    ordered = sorted(rungs, key=lambda rung: rung.short_side)
    fitting = tuple(rung for rung in ordered if rung.short_side <= short)
    return fitting or (Rung(short - short % 2, ordered[0].rate_bps, ordered[0].profile),)


def scaled(source: Size, rung: Rung) -> Size:
    """The size of `source` at `rung`: the long side a multiple of 16 where that bends the shape by under 1 %.

    >>> str(scaled(Size(1920, 1080), Rung(480, 1))), str(scaled(Size(1080, 1920), Rung(360, 1)))
    ('848x480', '360x640')
    """
    exact = Fraction(max(source.width, source.height) * rung.short_side, min(source.width, source.height))
    rounded = round(exact / 16) * 16
    long_side = rounded if abs(rounded - exact) * 100 < exact else round(exact / 2) * 2
    upright = source.height > source.width
    return Size(rung.short_side, long_side) if upright else Size(long_side, rung.short_side)


def level(size: Size, frame_rate: Fraction, peak_bps: int) -> str:
    """The lowest H.264 level that allows this picture, or the highest there is.

    >>> level(Size(1280, 720), Fraction(25), 3_750_000), level(Size(1280, 720), Fraction(50), 3_750_000)
    ('3.1', '3.2')
    """
    blocks = -(-size.width // 16) * -(-size.height // 16)
    for name, a_second, a_frame, kbps in _LEVELS:
        if blocks <= a_frame and blocks * frame_rate <= a_second and peak_bps <= kbps * 1000:
            return name
    return _LEVELS[-1][0]
