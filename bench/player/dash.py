"""DASH manifests (ISO/IEC 23009-1; steering: ETSI TS 103 998) of VOD titles read into the common model.

Pure: bytes in, model out. Static MPDs with one Period. The first video AdaptationSet gives the ladder, the
first Representation of the first audio AdaptationSet the audio; sets with an EssentialProperty (trick
play) and other media are left out, as the standard asks of a client that does not know them.
"""

from __future__ import annotations

import re
from urllib.parse import urljoin

from bench.player.dash_addressing import bad, integer, segment_index
from bench.player.presentation import (
    DEFAULT_PATHWAY,
    RENDITIONS_LIMIT,
    URI_LIMIT,
    Presentation,
    Rendition,
    Steering,
    TrackKind,
)
from bench.player.xml_tree import Element, parse

_DURATION = re.compile(r"P(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,9}(?:\.\d{1,12})?)S)?)?$")

ID_LIMIT = 256
Locations = dict[str, str]


def parse_mpd(body: bytes, url: str) -> Presentation:
    """The presentation in the MPD that was read from `url`. Raises ManifestError with line and element."""
    mpd = parse(body)
    if mpd.name != "MPD":
        raise bad(mpd, "not an MPD")
    if mpd.attributes.get("type", "static") != "static":
        raise bad(mpd, f"type is {mpd.attributes['type'][:40]!r}; only static (VOD) manifests are played")
    periods = list(mpd.all("Period"))
    if len(periods) != 1:
        raise bad(mpd, f"{len(periods)} Periods; exactly one is played")
    period = periods[0]
    duration_s = _duration(period, "duration")
    if duration_s is None:
        duration_s = _duration(mpd, "mediaPresentationDuration")
    locations = _based(_based({DEFAULT_PATHWAY: url}, mpd), period)
    video = _set(period, "video", locations, duration_s)
    audio = _set(period, "audio", locations, duration_s)
    if not video and not audio:
        raise bad(period, "no AdaptationSet with video or audio: there is nothing to play")
    shown = video or audio[:1]
    return Presentation(
        format="dash",
        pathways=tuple(dict.fromkeys(pathway for rendition in shown for pathway in rendition.locations)),
        video=tuple(sorted(shown, key=lambda rendition: rendition.bandwidth_bps)),
        audio=audio[0] if video and audio else None,
        steering=_steering(mpd, url),
    )


def _based(outer: Locations, element: Element) -> Locations:
    """The locations within `element`: every BaseURL of its own joined to the outer ones (5.6).

    An absolute BaseURL replaces what is outside; one with a serviceLocation names the pathway.
    """
    own = list(element.all("BaseURL"))
    if not own:
        return outer
    inner: Locations = {}
    for base in own:
        text = base.text.strip()
        if len(text) > URI_LIMIT:
            raise bad(base, f"a URL of {len(text)} characters; at most {URI_LIMIT} are read")
        for pathway, location in outer.items():
            name = base.attributes.get("serviceLocation", pathway)
            inner.setdefault(name, urljoin(location, text))
        if len(inner) > RENDITIONS_LIMIT:
            raise bad(base, f"more than {RENDITIONS_LIMIT} locations")
    return inner


def _set(period: Element, kind: TrackKind, outer: Locations, duration_s: float | None) -> list[Rendition]:
    """The representations of the first AdaptationSet of `kind`."""
    for adaptation in period.all("AdaptationSet"):
        representations = list(adaptation.all("Representation"))
        if adaptation.first("EssentialProperty") is not None or not representations:
            continue
        if len(representations) > RENDITIONS_LIMIT:
            raise bad(adaptation, f"more than {RENDITIONS_LIMIT} Representations")
        if _kind(adaptation, representations[0]) == kind:
            locations = _based(outer, adaptation)
            return [_rendition((period, adaptation, each), kind, locations, duration_s) for each in representations]
    return []


def _kind(adaptation: Element, representation: Element) -> str:
    kinds = (
        adaptation.attributes.get("contentType"),
        adaptation.attributes.get("mimeType"),
        representation.attributes.get("mimeType"),
    )
    return next((kind.partition("/")[0] for kind in kinds if kind), "")


def _rendition(
    levels: tuple[Element, Element, Element], kind: TrackKind, outer: Locations, duration_s: float | None
) -> Rendition:
    """The Representation that is the last of `levels`: Period, AdaptationSet, Representation."""
    _, adaptation, representation = levels
    name = representation.attributes.get("id", "")
    if not 0 < len(name) <= ID_LIMIT:
        raise bad(representation, f"an id of {len(name)} characters; 1 to {ID_LIMIT} are wanted")
    bandwidth_bps = integer(representation, "bandwidth", least=1)
    merged = Element("Representation", adaptation.attributes | representation.attributes, representation.line)
    return Rendition(
        id=name,
        kind=kind,
        bandwidth_bps=bandwidth_bps,
        locations=_based(outer, representation),
        index=segment_index(levels, representation=name, bandwidth=bandwidth_bps, duration_s=duration_s),
        codecs=merged.attributes.get("codecs", ""),
        width=integer(merged, "width", 0),
        height=integer(merged, "height", 0),
        language=merged.attributes.get("lang", ""),
    )


def _steering(mpd: Element, url: str) -> Steering | None:
    """The ContentSteering element (TS 103 998, 8.1); its default may list several locations, best first."""
    element = mpd.first("ContentSteering")
    if element is None:
        return None
    server = element.text.strip()
    if not 0 < len(server) <= URI_LIMIT:
        raise bad(element, f"a URL of {len(server)} characters; 1 to {URI_LIMIT} are read")
    defaults = element.attributes.get("defaultServiceLocation", "").split()
    return Steering(
        url=urljoin(url, server),
        initial=defaults[0] if defaults else None,
        before_start=element.attributes.get("queryBeforeStart") == "true",
    )


def _duration(element: Element, name: str) -> float | None:
    """An xs:duration of days and less, in seconds; None when it is not given."""
    value = element.attributes.get(name)
    if value is None:
        return None
    match = _DURATION.match(value)
    if match is None or not any(match.groups()):
        raise bad(element, f"{name} is {value[:40]!r}; write it as PT1H2M3.5S")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
