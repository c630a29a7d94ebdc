"""What viewers asked for, per rendition and hour, counted from what workers report. Pure."""

from __future__ import annotations

from collections import OrderedDict

from control.wire import RenditionDemand
from oca.link.messages import ServedRow
from oca.store.layout import RenditionKey
from oca.upstream.known import KnownIndex

HOUR_S = 3600
ROWS_KEPT = 200_000
"""Rendition-hours kept; beyond it the oldest hours go, sent or not."""


class _Row:
    __slots__ = ("bytes", "changed", "farthest", "requests", "sessions")

    def __init__(self) -> None:
        self.requests = self.bytes = self.sessions = self.farthest = 0
        self.changed = 0


class Demand:
    """Totals of every hour that is open or not yet taken by every receiver.

    A session is counted by the request for its init segment, which a player makes once per rendition.
    """

    def __init__(self) -> None:
        self.change = 0
        self._rows: OrderedDict[tuple[int, RenditionKey], _Row] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Demand: {len(self._rows)} rendition-hours>"

    def count(self, served: ServedRow, index: KnownIndex | None, now: float) -> None:
        """`served` was reported at `now` (Unix seconds). Positions are known only with the `index`."""
        key = RenditionKey(served.title, served.rendition)
        hour = int(now) // HOUR_S * HOUR_S
        row = self._rows.get((hour, key))
        if row is None:
            row = self._rows[hour, key] = _Row()
            while len(self._rows) > ROWS_KEPT:
                self._rows.popitem(last=False)
        self.change += 1
        row.changed = self.change
        row.requests += served.requests
        row.bytes += served.bytes
        for name, requests in served.objects.items():
            position = index.position(name) if index is not None else None
            if position is None or index is None:
                continue
            if index.at(position).kind == "init":
                row.sessions += requests
            row.farthest = max(row.farthest, position)

    def since(self, change: int) -> tuple[RenditionDemand, ...]:
        """Rows that changed after `change`."""
        return tuple(
            RenditionDemand(
                title=key.title,
                rendition=key.rendition,
                hour=hour,
                requests=row.requests,
                bytes=row.bytes,
                sessions=row.sessions,
                farthest_segment=row.farthest,
            )
            for (hour, key), row in self._rows.items()
            if row.changed > change
        )

    def forget(self, taken: int, now: float) -> None:
        """Drop closed hours that did not change after `taken`: every receiver has them."""
        open_hour = int(now) // HOUR_S * HOUR_S
        for at in [at for at, row in self._rows.items() if at[0] < open_hour and row.changed <= taken]:
            del self._rows[at]
