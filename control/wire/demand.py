"""What viewers asked an appliance for, per rendition and hour."""

from __future__ import annotations

import msgspec

from control.wire.names import Count, Message, Name, UnixSeconds


class RenditionDemand(msgspec.Struct, frozen=True, kw_only=True):
    """Demand for one rendition in the hour that starts at `hour` (Unix seconds, a multiple of 3600).

    `farthest_segment` is the highest object position asked for, `bytes` those sent to players.
    """

    title: Name
    rendition: Name
    hour: Count
    requests: Count
    bytes: Count
    sessions: Count = 0
    farthest_segment: Count = 0


class DemandReport(Message, frozen=True, kw_only=True):
    """Totals so far of each hour still open or newly closed; a row replaces an earlier row of the same hour.

    Rows count from the appliance's start (`epoch`); the receiver adds epochs up.
    """

    appliance: Name
    epoch: UnixSeconds
    sequence: Count
    rows: tuple[RenditionDemand, ...] = ()
