"""How an MPD says where segments are (ISO/IEC 23009-1, 5.3.9): SegmentTemplate and SegmentList.

Pure: elements in, `SegmentIndex` out. `SegmentBase` is refused: it neither steers nor fails over in
the players of the field, so our manifests never use it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

import msgspec

from bench.player.presentation import (
    SEGMENTS_LIMIT,
    URI_LIMIT,
    ByteRange,
    ManifestError,
    Resource,
    Segment,
    SegmentIndex,
)
from bench.player.xml_tree import Element

SHARED_INDEXES = 64
"""Expanded lists kept, so that many sessions of one title share one list."""
TEXT_LIMIT = 64 * 1024 * 1024
"""Characters of all URIs that a template expands to."""

_IDENTIFIER = re.compile(r"\$(?:(RepresentationID|Number|Bandwidth|Time)(?:%0([0-9]{1,2})d)?)?\$")
_MEDIA_RANGE = re.compile(r"([0-9]{1,19})-([0-9]{1,19})$")
_INTEGER_LIMIT = 2**63

Spans = tuple[tuple[int, int], ...]
"""(time, duration) of each segment in the timescale's units."""


class _Plan(msgspec.Struct, frozen=True):
    """A SegmentTemplate with everything inherited and counted out."""

    media: str
    init: str | None
    timescale: int
    offset: int
    first_number: int
    spans: Spans
    representation: str
    bandwidth: int


def bad(element: Element, what: str) -> ManifestError:
    """The error for an element."""
    return ManifestError(f"dash:{element.line}: <{element.name}>: {what}")


def integer(element: Element, name: str, default: int | None = None, *, least: int = 0) -> int:
    """A whole-number attribute of at least `least`; `default` None makes it required."""
    value = element.attributes.get(name)
    if value is None:
        if default is None:
            raise bad(element, f"the attribute {name} is required and missing")
        return default
    if not re.fullmatch(r"[0-9]{1,19}", value) or not least <= int(value) < _INTEGER_LIMIT:
        raise bad(element, f"{name} is {value[:40]!r}; a whole number from {least} is wanted")
    return int(value)


def segment_index(
    levels: Sequence[Element], *, representation: str, bandwidth: int, duration_s: float | None
) -> SegmentIndex:
    """The segments of the representation that is last in `levels` (Period, AdaptationSet, Representation).

    Raises ManifestError.
    """
    merged = _inherited(levels, "SegmentTemplate")
    if merged is not None:
        return _expanded(_template(merged, representation, bandwidth, duration_s))
    merged = _inherited(levels, "SegmentList")
    if merged is not None:
        return _listed(merged, duration_s)
    raise bad(levels[-1], f"Representation {representation!r} has no SegmentTemplate and no SegmentList; write one")


def _inherited(levels: Sequence[Element], name: str) -> Element | None:
    """The element `name` with attributes and children of outer levels that inner ones don't replace (5.3.9.1)."""
    merged: Element | None = None
    for found in (level.first(name) for level in levels):
        if found is None:
            continue
        outer = merged
        merged = Element(name, dict(found.attributes), found.line)
        merged.children = list(found.children)
        if outer is not None:
            merged.attributes = outer.attributes | found.attributes
            own = {child.name for child in found.children}
            merged.children += [child for child in outer.children if child.name not in own]
    return merged


def _template(element: Element, representation: str, bandwidth: int, duration_s: float | None) -> _Plan:
    media = element.attributes.get("media")
    if media is None:
        raise bad(element, "the attribute media is required and missing")
    timescale = integer(element, "timescale", 1, least=1)
    offset = integer(element, "presentationTimeOffset", 0)
    plan = _Plan(
        media=media,
        init=element.attributes.get("initialization"),
        timescale=timescale,
        offset=offset,
        first_number=integer(element, "startNumber", 1),
        spans=tuple(_spans(element, timescale, offset, duration_s)),
        representation=representation,
        bandwidth=bandwidth,
    )
    for template in (media, plan.init or ""):
        if "$" in _IDENTIFIER.sub("", template) or len(template) > URI_LIMIT:
            raise bad(element, f"{template[:80]!r} has a $ that is no identifier; write $Number%05d$, $Time$ or $$")
    if not plan.spans:
        raise bad(element, "no segments: there is nothing to play")
    length = len(_filled(media, plan, plan.first_number + len(plan.spans), plan.spans[-1][0]))
    if length > URI_LIMIT or length * len(plan.spans) > TEXT_LIMIT:
        raise bad(element, f"{len(plan.spans)} URIs of {length} characters are more than are read")
    return plan


@lru_cache(maxsize=SHARED_INDEXES)
def _expanded(plan: _Plan) -> SegmentIndex:
    init = None if plan.init is None else Resource(_filled(plan.init, plan, 0, 0))
    segments = []
    for number, (time, duration) in enumerate(plan.spans, plan.first_number):
        segments.append(
            Segment(
                resource=Resource(_filled(plan.media, plan, number, time)),
                start_s=(time - plan.offset) / plan.timescale,
                duration_s=duration / plan.timescale,
                init=init,
            )
        )
    return SegmentIndex(tuple(segments))


def _filled(template: str, plan: _Plan, number: int, time: int) -> str:
    """The template with its identifiers replaced (5.3.9.4.4)."""
    values = {
        "RepresentationID": plan.representation,
        "Number": number,
        "Bandwidth": plan.bandwidth,
        "Time": time,
    }

    def value(match: re.Match[str]) -> str:
        name, width = match.groups()
        if name is None:
            return "$"
        return str(values[name]).zfill(int(width)) if width else str(values[name])

    return _IDENTIFIER.sub(value, template)


def _spans(element: Element, timescale: int, offset: int, duration_s: float | None) -> Iterator[tuple[int, int]]:
    timeline = element.first("SegmentTimeline")
    if timeline is not None:
        end = None if duration_s is None else round(duration_s * timescale) + offset
        yield from _timeline(timeline, offset, end)
        return
    length = integer(element, "duration", least=1)
    if duration_s is None:
        raise bad(element, "a duration per segment needs the Period's duration or mediaPresentationDuration")
    total = round(duration_s * timescale)
    count = math.ceil(total / length)
    if count > SEGMENTS_LIMIT:
        raise bad(element, f"{count} segments; at most {SEGMENTS_LIMIT} are read")
    for number in range(count):
        yield offset + number * length, min(length, total - number * length)


def _timeline(timeline: Element, offset: int, end: int | None) -> Iterator[tuple[int, int]]:
    """SegmentTimeline counted out (5.3.9.6); `r` below 0 repeats until the next S or the end."""
    rows = list(timeline.all("S"))
    at = offset
    count = 0
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        at = integer(row, "t", at)
        length = integer(row, "d", least=1)
        repeats = _repeats(row, following, at, length, end)
        count += repeats
        if count > SEGMENTS_LIMIT:
            raise bad(row, f"more than {SEGMENTS_LIMIT} segments")
        for _ in range(repeats):
            yield at, length
            at += length


def _repeats(row: Element, following: Element | None, at: int, length: int, end: int | None) -> int:
    written = row.attributes.get("r", "0")
    if not re.fullmatch(r"-?[0-9]{1,9}", written):
        raise bad(row, f"r is {written[:40]!r}; a whole number is wanted")
    if int(written) >= 0:
        return int(written) + 1
    until = integer(following, "t") if following is not None else end
    if until is None:
        raise bad(row, "r below 0 needs a next S with t, or the Period's duration")
    return max(math.ceil((until - at) / length), 0)


def _listed(element: Element, duration_s: float | None) -> SegmentIndex:
    rows = list(element.all("SegmentURL"))
    if not rows:
        raise bad(element, "no SegmentURL: there is nothing to play")
    if len(rows) > SEGMENTS_LIMIT:
        raise bad(element, f"more than {SEGMENTS_LIMIT} segments")
    timescale = integer(element, "timescale", 1, least=1)
    offset = integer(element, "presentationTimeOffset", 0)
    spans = list(_list_spans(element, len(rows), timescale, offset, duration_s))
    if len(spans) != len(rows):
        raise bad(element, f"{len(rows)} SegmentURL and a SegmentTimeline of {len(spans)}; the numbers must be equal")
    init = _initialization(element.first("Initialization"))
    return SegmentIndex(
        tuple(
            Segment(
                resource=Resource(_media_uri(row), _media_range(row, "mediaRange")),
                start_s=(time - offset) / timescale,
                duration_s=length / timescale,
                init=init,
            )
            for row, (time, length) in zip(rows, spans, strict=True)
        )
    )


def _list_spans(
    element: Element, count: int, timescale: int, offset: int, duration_s: float | None
) -> Iterator[tuple[int, int]]:
    """Times of a SegmentList: its timeline, or equal durations of which the Period's end may cut the last."""
    if element.first("SegmentTimeline") is not None:
        yield from _spans(element, timescale, offset, duration_s)
        return
    length = integer(element, "duration", least=1)
    for number in range(count):
        left = length if duration_s is None else round(duration_s * timescale) - number * length
        yield offset + number * length, min(length, left) if number == count - 1 and left > 0 else length


def _initialization(element: Element | None) -> Resource | None:
    if element is None:
        return None
    return Resource(element.attributes.get("sourceURL", ""), _media_range(element, "range"))


def _media_uri(row: Element) -> str:
    uri = row.attributes.get("media", "")
    if len(uri) > URI_LIMIT:
        raise bad(row, f"a URI of {len(uri)} characters; at most {URI_LIMIT} are read")
    return uri


def _media_range(element: Element, name: str) -> ByteRange | None:
    """A byte range `first-last` as offset and length."""
    value = element.attributes.get(name)
    if value is None:
        return None
    match = _MEDIA_RANGE.match(value)
    if match is None or int(match.group(2)) < int(match.group(1)):
        raise bad(element, f"{name} is {value[:40]!r}; write first-last, as 0-999")
    first, last = int(match.group(1)), int(match.group(2))
    return (first, last - first + 1)
