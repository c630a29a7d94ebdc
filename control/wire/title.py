"""Titles, their renditions, and the objects a rendition is made of."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from control.wire.names import Count, Message, Name, Text, UnixSeconds, Xxh3

ObjectKind = Literal["init", "media", "playlist"]


class StoredObject(msgspec.Struct, frozen=True, kw_only=True):
    """One immutable file of a rendition.

    `duration` is in units of the rendition's timescale, 0 for what is not media.
    """

    name: Name
    kind: ObjectKind
    bytes: Count
    xxh3: Xxh3
    duration: Count = 0


class RenditionIndex(Message, frozen=True, kw_only=True):
    """Every object of one rendition, in playing order. Stored beside them as `index.json`.

    The position of an object in `objects` is its bit in inventories. The index itself is not listed.
    """

    title: Name
    rendition: Name
    timescale: Annotated[int, msgspec.Meta(ge=1)]
    objects: tuple[StoredObject, ...]

    @property
    def bytes(self) -> int:
        """Bytes of all objects, without the index."""
        return sum(stored.bytes for stored in self.objects)

    def find(self, name: str) -> StoredObject | None:
        """The object called `name`, or None."""
        return next((stored for stored in self.objects if stored.name == name), None)


class Rendition(msgspec.Struct, frozen=True, kw_only=True):
    """One encoding of one track. Its id ends in a digest of its bytes: changed bytes are another rendition.

    `bandwidth_bps` is the peak over segments (RFC 8216, 4.4.6.2 BANDWIDTH); `codecs` is RFC 6381.
    """

    id: Name
    kind: Literal["video", "audio"]
    codecs: Text
    bandwidth_bps: Annotated[int, msgspec.Meta(ge=1)]
    average_bandwidth_bps: Annotated[int, msgspec.Meta(ge=1)]
    bytes: Count
    objects: Count
    index_bytes: Count
    index_xxh3: Xxh3
    width: Count = 0
    height: Count = 0
    frame_rate: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    channels: Count = 0
    sample_rate_hz: Count = 0
    language: Annotated[str, msgspec.Meta(max_length=35)] = "und"


class Title(Message, frozen=True, kw_only=True):
    """What a viewer picks, and the renditions it can be played in."""

    id: Name
    name: Text
    synopsis: Text = ""
    attribution: Text = ""
    duration_ms: Count
    published_at: UnixSeconds
    renditions: tuple[Rendition, ...]

    @property
    def bytes(self) -> int:
        """Bytes of all renditions with their indexes: what an appliance holds to hold the title."""
        return sum(rendition.bytes + rendition.index_bytes for rendition in self.renditions)


class CatalogPage(Message, frozen=True, kw_only=True):
    """A page of titles by id; `next_after` is the id to continue after, None on the last page."""

    titles: tuple[Title, ...]
    next_after: Name | None = None
