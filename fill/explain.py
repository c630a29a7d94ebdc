"""Why a title is planned here and not there: the same computation as the plan's, told row by row.

Pure: takes what `plan.py` made.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from control.wire import Hold, Source, Title
from fill.demand import Key
from fill.plan import Machine, grounds
from fill.rounds import Made


class RenditionWhy(msgspec.Struct, frozen=True, kw_only=True):
    """One rendition on one appliance. `verdict`: hold, or left; `place`: position in the plan, from 1."""

    appliance: str
    cluster: str
    rendition: str
    kind: str
    bytes: int
    held_bytes: int
    expected_bytes: int
    plays: float
    asked_here: int
    asked_anywhere: int
    verdict: str
    why: str
    place: int = 0
    value: float = 0.0
    master: bool = False
    pinned: bool = False
    sources: tuple[Source, ...] = ()


class TitleWhy(msgspec.Struct, frozen=True, kw_only=True):
    """A title on every appliance asked about. `waiting_for`: those that cannot be planned for, with the reason."""

    title: str
    age_days: float
    rows: tuple[RenditionWhy, ...]
    waiting_for: dict[str, str]


def explain(
    title: Title, made: Sequence[Made], waiting_for: dict[str, str], now: float, appliance: str | None
) -> TitleWhy:
    """Every rendition of `title` on every machine of `made`, or on `appliance` alone. `now` in Unix seconds."""
    rows = [
        row
        for each in made
        for machine in each.job.machines
        if appliance in (None, machine.name)
        for row in _machine_rows(title, each, machine)
    ]
    return TitleWhy(
        title=title.id,
        age_days=round(max(now - title.published_at, 0.0) / 86_400, 2),
        rows=tuple(rows),
        waiting_for=waiting_for,
    )


def _machine_rows(title: Title, made: Made, machine: Machine) -> list[RenditionWhy]:
    holds = made.cluster.plans[machine.name].hold
    places = {(hold.title, hold.rendition): (place, hold) for place, hold in enumerate(holds, start=1)}
    return [_row((title.id, rendition.id), rendition.kind, made, machine, places) for rendition in title.renditions]


def _row(key: Key, kind: str, made: Made, machine: Machine, places: dict[Key, tuple[int, Hold]]) -> RenditionWhy:
    expected, item = made.cluster.expected[key], made.cluster.items[key]
    place, hold = places.get(key, (0, None))
    left = made.cluster.placed[machine.name].left.get(key, "")
    return RenditionWhy(
        appliance=machine.name,
        cluster=made.job.cluster,
        rendition=key[1],
        kind=kind,
        bytes=item.bytes,
        held_bytes=machine.held_bytes(key, made.cluster.items),
        expected_bytes=round(expected.bytes),
        plays=round(item.value, 4),
        asked_here=expected.asked_here,
        asked_anywhere=expected.asked_anywhere,
        verdict="hold" if hold is not None else "left",
        why=hold.reason if hold is not None else f"{left}; {grounds(expected, made.job.here.days)}",
        place=place,
        value=hold.value if hold is not None else 0.0,
        master=hold.master if hold is not None else False,
        pinned=hold.pinned if hold is not None else False,
        sources=hold.sources if hold is not None else (),
    )
