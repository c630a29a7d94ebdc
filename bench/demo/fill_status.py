"""What of the planner's `/v1/status` is looked at. Pure; fields not listed here are ignored."""

from __future__ import annotations

import msgspec


class FillRow(msgspec.Struct, frozen=True, kw_only=True):
    """One appliance in the planner's `/v1/status`: how far it has got with its plan."""

    appliance: str
    live: bool
    waiting_for: str = ""
    state: str = "none"
    holds: int = 0
    bytes_total: int = 0
    bytes_done: int = 0
    bytes_by_source: dict[str, int] = {}
    errors: tuple[str, ...] = ()

    def __str__(self) -> str:
        words = [self.appliance, self.state, f"{self.bytes_done} of {self.bytes_total} bytes", *self.errors]
        return " ".join(words)


class FillStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What of the planner's `/v1/status` is looked at."""

    titles: int
    appliances: tuple[FillRow, ...]
