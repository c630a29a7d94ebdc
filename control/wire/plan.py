"""Tonight's plan for one appliance, and how far it has got."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from control.wire.names import Amount, Count, Message, Name, Text, UnixSeconds, Url, Xxh3

SourceKind = Literal["peer", "tier", "cache"]
"""Open Connect's words: peer fill (same cluster), tier fill (another cluster), cache fill (origin)."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where to fetch from, best first. `not_before` lets peers go first: fill escalation."""

    kind: SourceKind
    name: Name
    url: Url
    not_before: UnixSeconds = 0.0


class FillWindow(msgspec.Struct, frozen=True, kw_only=True):
    """When fetching is allowed (Unix seconds, end exclusive) and how fast."""

    start: UnixSeconds
    end: UnixSeconds
    rate_bps: Count = 0
    """0 means no limit."""


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """One rendition to hold, with the reason for a person to read. In a plan: most valuable first.

    `value` is the expected bytes served per byte held until the next fill.
    `master`: this appliance fetches it for its cluster.
    """

    title: Name
    rendition: Name
    bytes: Count
    objects: Count
    index_bytes: Count
    index_xxh3: Xxh3
    value: Amount
    reason: Text
    master: bool = False
    pinned: bool = False
    sources: tuple[Source, ...] = ()


class Evict(msgspec.Struct, frozen=True, kw_only=True):
    """One rendition that may go to make room."""

    title: Name
    rendition: Name
    bytes: Count
    reason: Text


class FillPlan(Message, frozen=True, kw_only=True):
    """Everything one appliance should hold after tonight. Replaces any earlier plan of that appliance."""

    id: Name
    appliance: Name
    made_at: UnixSeconds
    window: FillWindow
    hold: tuple[Hold, ...] = ()
    evict: tuple[Evict, ...] = ()


class FillReport(Message, frozen=True, kw_only=True):
    """Progress of a plan. Totals, so a lost report costs nothing."""

    appliance: Name
    plan: Name
    state: Literal["waiting", "running", "done", "failed"]
    at: UnixSeconds
    objects_total: Count = 0
    objects_done: Count = 0
    bytes_total: Count = 0
    bytes_done: Count = 0
    bytes_by_source: Annotated[dict[str, int], msgspec.Meta(max_length=1024)] = msgspec.field(default_factory=dict)
    """Source kind and name, as `cache:origin` or `peer:a1`, to bytes fetched from it."""
    errors: tuple[Text, ...] = ()
