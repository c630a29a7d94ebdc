"""A title's renditions as players choose among them: video rungs, and the audio that goes with each. Pure.

HLS and DASH describe the same ladder; what both need to know of it is here.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from control.wire import Rendition, Title

_NTSC = 1001


@dataclass(frozen=True)
class AudioGroup:
    """Audio that replaces one another by language only: same codec, same channels, same rank of quality."""

    id: str
    members: tuple[Rendition, ...]

    @property
    def bandwidth_bps(self) -> int:
        """The most that any member takes."""
        return max(member.bandwidth_bps for member in self.members)

    @property
    def average_bandwidth_bps(self) -> int:
        """The most that any member takes on average."""
        return max(member.average_bandwidth_bps for member in self.members)

    @property
    def codecs(self) -> str:
        """The codec of its members."""
        return self.members[0].codecs


@dataclass(frozen=True)
class Variant:
    """One choice of a player. `audio` is None when the title has none, or when the audio is all there is."""

    main: Rendition
    audio: AudioGroup | None

    @property
    def bandwidth_bps(self) -> int:
        """Peak of all that is played together."""
        return self.main.bandwidth_bps + (self.audio.bandwidth_bps if self.audio else 0)

    @property
    def average_bandwidth_bps(self) -> int:
        """Average of all that is played together."""
        return self.main.average_bandwidth_bps + (self.audio.average_bandwidth_bps if self.audio else 0)


def tracks(title: Title) -> list[list[Rendition]]:
    """Renditions that a player may switch between, together, each from low to high bandwidth.

    Video of one codec family is a track; audio of one codec, channel count and language is one. Video comes first,
    else tracks are in the title's own order: its first audio is what plays unless the viewer chooses.
    """
    found: dict[tuple[object, ...], list[Rendition]] = {}
    for rendition in sorted(title.renditions, key=lambda each: each.kind != "video"):
        key: tuple[object, ...] = (rendition.kind, family(rendition))
        if rendition.kind == "audio":
            key += (rendition.codecs, rendition.channels, rendition.language)
        found.setdefault(key, []).append(rendition)
    return [sorted(track, key=lambda each: (each.bandwidth_bps, each.id)) for track in found.values()]


def audio_classes(title: Title) -> list[list[AudioGroup]]:
    """For every codec and channel count, its groups from low to high quality.

    A language with fewer qualities than another is in several groups with its best.
    """
    classes: dict[tuple[str, int], list[list[Rendition]]] = {}
    for track in tracks(title):
        if track[0].kind == "audio":
            classes.setdefault((track[0].codecs, track[0].channels), []).append(track)
    found: list[list[AudioGroup]] = []
    number = 0
    for languages in classes.values():
        groups = []
        for rank in range(max(len(track) for track in languages)):
            members = tuple(track[min(rank, len(track) - 1)] for track in languages)
            groups.append(AudioGroup(id=f"audio{number}", members=members))
            number += 1
        found.append(groups)
    return found


def variants(title: Title) -> list[Variant]:
    """Every choice, from low to high bandwidth within a codec: low video with low audio, high with high."""
    classes = audio_classes(title)
    found: list[Variant] = []
    for track in tracks(title):
        if track[0].kind != "video":
            continue
        for groups in classes or [[]]:
            for rung, video in enumerate(track):
                audio = groups[rung * len(groups) // len(track)] if groups else None
                found.append(Variant(main=video, audio=audio))
    if not found:
        found = [Variant(main=audio, audio=None) for track in tracks(title) for audio in track]
    return found


def family(rendition: Rendition) -> str:
    """The codec without its profile: what a player cannot switch between.

    `avc1` and `avc3` differ in where parameter sets are, so they are not one family.
    """
    return rendition.codecs.partition(".")[0].lower()


def frame_rate_fraction(rate: float) -> Fraction:
    """The exact rate meant by a rounded one.

    >>> frame_rate_fraction(25.0), frame_rate_fraction(29.97), frame_rate_fraction(12.5)
    (Fraction(25, 1), Fraction(30000, 1001), Fraction(25, 2))
    """
    nominal = round(rate)
    if rate != nominal and abs(rate - nominal * 1000 / _NTSC) < 0.005:
        return Fraction(nominal * 1000, _NTSC)
    return Fraction(rate).limit_denominator(_NTSC)
