"""What travels between the processes: messages and their codec.

Pure. Nothing here reads a clock, a socket or a file, and nothing here imports a service or the kit.
Every message is a frozen `msgspec.Struct` with a `version`; JSON on the wire. Rules for changing one:

- A new optional field with a default keeps the version. Old readers ignore fields they do not know.
- Anything else (a field removed, renamed, given another meaning or made required) raises the version,
  and the reader accepts both until every process of the fleet speaks the new one.

`tests/control/wire/examples/` holds one example file per message; the tests load every one of them.
"""

from control.wire.codec import MESSAGE_LIMIT_BYTES, WireError, decode, encode
from control.wire.demand import DemandReport, RenditionDemand
from control.wire.heartbeat import ApplianceState, DiskReport, DiskState, Heartbeat
from control.wire.inventory import Inventory, RenditionHeld, bitmap_of, held_indexes, succession
from control.wire.names import NAME_PATTERN, Message, Name, is_name
from control.wire.plan import Evict, FillPlan, FillReport, FillWindow, Hold, Source
from control.wire.playback import PlaybackEvent, PlaybackRequest, PlaybackSession, Position
from control.wire.purge import PurgeOrder, Receipt
from control.wire.route import RouteAdvert
from control.wire.steering import (
    RankedPathway,
    RejectedPathway,
    SteeringDecision,
    SteeringManifest,
    SteeringQuery,
)
from control.wire.title import CatalogPage, Rendition, RenditionIndex, StoredObject, Title

MESSAGES: tuple[type[Message], ...] = (
    CatalogPage,
    DemandReport,
    FillPlan,
    FillReport,
    Heartbeat,
    Inventory,
    PlaybackEvent,
    PlaybackRequest,
    PlaybackSession,
    Position,
    PurgeOrder,
    Receipt,
    RenditionIndex,
    RouteAdvert,
    SteeringDecision,
    SteeringQuery,
    Title,
)
"""Every versioned message. `SteeringManifest` is not among them: its shape and VERSION are a standard's."""

__all__ = [
    "MESSAGES",
    "MESSAGE_LIMIT_BYTES",
    "NAME_PATTERN",
    "ApplianceState",
    "CatalogPage",
    "DemandReport",
    "DiskReport",
    "DiskState",
    "Evict",
    "FillPlan",
    "FillReport",
    "FillWindow",
    "Heartbeat",
    "Hold",
    "Inventory",
    "Message",
    "Name",
    "PlaybackEvent",
    "PlaybackRequest",
    "PlaybackSession",
    "Position",
    "PurgeOrder",
    "RankedPathway",
    "Receipt",
    "RejectedPathway",
    "Rendition",
    "RenditionDemand",
    "RenditionHeld",
    "RenditionIndex",
    "RouteAdvert",
    "Source",
    "SteeringDecision",
    "SteeringManifest",
    "SteeringQuery",
    "StoredObject",
    "Title",
    "WireError",
    "bitmap_of",
    "decode",
    "encode",
    "held_indexes",
    "is_name",
    "succession",
]
