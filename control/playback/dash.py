"""The DASH manifest of a session (ISO/IEC 23009-1, steering as in ETSI TS 103 998). Pure.

Static, profile isoff-live: SegmentTemplate with a SegmentTimeline per representation, for segment bases do not steer.
Adaptation sets are the same for every session of a title: `presentation` makes them once, `mpd` adds the session's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, tostring

from control.playback.ladder import frame_rate_fraction, tracks
from control.playback.links import title_base
from control.wire import RankedPathway, Rendition, RenditionIndex, Title

CONTENT_TYPE = "application/dash+xml"
NAMESPACE = "urn:mpeg:dash:schema:mpd:2011"
PROFILE = "urn:mpeg:dash:profile:isoff-live:2011"
INITIALIZATION = "$RepresentationID$/init.mp4"
MEDIA = "$RepresentationID$/$Number%05d$.m4s"
_ROLE = "urn:mpeg:dash:role:2011"
_CHANNELS = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"
_CHANNEL_CONFIGURATION = {8: 7}
"""Channels → ChannelConfiguration (ISO/IEC 23003-3) where they differ: 7.1 is number 7."""


@dataclass(frozen=True)
class Presentation:
    """What all sessions of a title share. `longest_s` is the longest segment."""

    duration_s: float
    longest_s: float
    sets: tuple[Element, ...]


def presentation(title: Title, indexes: Mapping[str, RenditionIndex]) -> Presentation:
    """The adaptation sets of `title`; `indexes` by rendition id."""
    longest_s = max(
        (stored.duration / index.timescale for index in indexes.values() for stored in index.objects), default=0.0
    )
    sets = tuple(_adaptation_set(number, track, indexes) for number, track in enumerate(_main_first(title)))
    return Presentation(duration_s=title.duration_ms / 1000, longest_s=longest_s, sets=sets)


def mpd(shared: Presentation, title: str, pathways: Sequence[RankedPathway], *, steering: str) -> bytes:
    """The manifest for `pathways`, best first; players poll the steering manifest at `steering`."""
    longest = f"PT{max(math.ceil(shared.longest_s), 1)}S"
    attributes = {
        "xmlns": NAMESPACE,
        "profiles": PROFILE,
        "type": "static",
        "mediaPresentationDuration": f"PT{_decimal(shared.duration_s)}S",
        "maxSegmentDuration": longest,
        "minBufferTime": longest,
    }
    root = Element("MPD", attributes)
    for pathway in pathways:
        base = SubElement(root, "BaseURL", {"serviceLocation": pathway.pathway})
        base.text = title_base(pathway.url, title)
    asked = {"defaultServiceLocation": pathways[0].pathway, "queryBeforeStart": "false"}
    SubElement(root, "ContentSteering", asked).text = steering
    SubElement(root, "Period", {"id": "0", "start": "PT0S"}).extend(shared.sets)
    body: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return body


def _main_first(title: Title) -> list[tuple[list[Rendition], bool]]:
    """Tracks, and whether each is its kind's first."""
    found = []
    kinds: set[str] = set()
    for track in tracks(title):
        found.append((track, track[0].kind not in kinds))
        kinds.add(track[0].kind)
    return found


def _adaptation_set(number: int, track: tuple[list[Rendition], bool], indexes: Mapping[str, RenditionIndex]) -> Element:
    renditions, main = track
    kind = renditions[0].kind
    attributes = {
        "id": str(number),
        "contentType": kind,
        "mimeType": f"{kind}/mp4",
        "segmentAlignment": "true",
        "startWithSAP": "1",
    }
    if kind == "audio" or renditions[0].language != "und":
        attributes["lang"] = renditions[0].language
    if kind == "video":
        attributes["maxWidth"] = str(max(rendition.width for rendition in renditions))
        attributes["maxHeight"] = str(max(rendition.height for rendition in renditions))
    found = Element("AdaptationSet", attributes)
    SubElement(found, "Role", {"schemeIdUri": _ROLE, "value": "main" if main else "alternate"})
    for rendition in renditions:
        found.append(_representation(rendition, indexes[rendition.id]))
    return found


def _representation(rendition: Rendition, index: RenditionIndex) -> Element:
    attributes = {"id": rendition.id, "codecs": rendition.codecs, "bandwidth": str(rendition.bandwidth_bps)}
    if rendition.kind == "video":
        rate = frame_rate_fraction(rendition.frame_rate)
        whole = rate.denominator == 1
        attributes["width"] = str(rendition.width)
        attributes["height"] = str(rendition.height)
        attributes["frameRate"] = str(rate.numerator) if whole else f"{rate.numerator}/{rate.denominator}"
    elif rendition.sample_rate_hz:
        attributes["audioSamplingRate"] = str(rendition.sample_rate_hz)
    found = Element("Representation", attributes)
    if rendition.kind == "audio":
        configuration = _CHANNEL_CONFIGURATION.get(rendition.channels, rendition.channels)
        SubElement(found, "AudioChannelConfiguration", {"schemeIdUri": _CHANNELS, "value": str(configuration)})
    found.append(_template(index))
    return found


def _template(index: RenditionIndex) -> Element:
    attributes = {
        "timescale": str(index.timescale),
        "initialization": INITIALIZATION,
        "media": MEDIA,
        "startNumber": "1",
    }
    template = Element("SegmentTemplate", attributes)
    timeline = SubElement(template, "SegmentTimeline")
    durations = (stored.duration for stored in index.objects if stored.kind == "media")
    for position, (duration, repeats) in enumerate(runs(durations)):
        attributes = {"t": "0"} if position == 0 else {}
        attributes["d"] = str(duration)
        if repeats:
            attributes["r"] = str(repeats)
        SubElement(timeline, "S", attributes)
    return template


def runs(durations: Iterable[int]) -> list[tuple[int, int]]:
    """Equal neighbours together: the duration, and how often it is repeated after the first.

    >>> runs([4, 4, 4, 2])
    [(4, 2), (2, 0)]
    """
    return [(duration, len(list(run)) - 1) for duration, run in groupby(durations)]


def _decimal(seconds: float) -> str:
    """Seconds with at most milliseconds, as xs:duration writes them."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")
