"""What goes into an encode: ffmpeg's inputs and a filter graph that ends in one picture and one sound.

Pure data. `scenes.py` makes the demo's, `probe.py` gives what a user's file needs; `encode.py` consumes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from origin.ingest.ladder import Size

PICTURE, SOUND = "[picture]", "[sound]"


@dataclass(frozen=True)
class Feed:
    """One source of media. `graph` leaves the labels PICTURE and, when `has_sound`, SOUND."""

    inputs: tuple[str, ...]
    graph: str
    size: Size
    frame_rate: Fraction
    duration_s: float
    has_sound: bool
    language: str = "und"
