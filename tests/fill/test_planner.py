"""When plans are made, and which replace the ones before."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from control.kit.client import ServiceClient
from control.kit.clock import FakeClock
from control.kit.metrics import Meter
from control.wire import DemandReport, Heartbeat, Inventory, Title
from fill.app import limits_of
from fill.books import Books
from fill.catalog import Catalog
from fill.config import FillSettings, Pin, PlacementSettings, Window
from fill.members import Members
from fill.metrics import METRICS
from fill.planner import Planner

MakeTitle = Callable[..., Title]
Beat = Callable[..., Heartbeat]
ALL_DAY = Window(start="00:00", end="00:00")


class World:
    """A planner with everything it needs, and time that stands still until it is told to move."""

    def __init__(self, control: Any, books: Books, **changes: Any) -> None:
        self.clock = FakeClock()
        self.settings = FillSettings(**({"window": ALL_DAY, "plan_interval": 900.0, "settle": 2.0} | changes))
        self.meter = Meter(METRICS)
        self.members = Members(limits_of(self.settings), origin="origin")
        self.control = ServiceClient("control", control.url)
        self.books = books
        self.catalog = Catalog(self.control, books, clock=self.clock, meter=self.meter, interval_s=30.0, limit=1000)
        self.planner = Planner(self.settings, self.members, self.catalog, books, clock=self.clock, meter=self.meter)

    @property
    def rounds(self) -> float:
        return self.meter.value("oca_fill_rounds_total", kind="made")

    async def passes(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.planner.tick()


@pytest.fixture
async def world(control: Any, tmp_path: Path, title: MakeTitle) -> AsyncIterator[Callable[..., World]]:
    made: list[World] = []
    control.titles = [title("bunny")]

    def make(**changes: Any) -> World:
        made.append(World(control, Books(tmp_path / "fill.db"), **changes))
        return made[-1]

    yield make
    for each in made:
        await each.control.close()
        await each.books.close()


def appears(world: World, beat: Beat, inventory: Callable[..., Inventory], *names: str, **changes: Any) -> None:
    for name in names:
        world.members.heartbeat(beat(name, **changes), world.clock.monotonic())
        world.members.inventory(inventory(name), world.clock.monotonic())


async def test_without_a_catalog_nothing_is_planned(world: Any, beat: Beat, inventory: Any) -> None:
    there = world()
    appears(there, beat, inventory, "a1")
    await there.passes(1000)
    assert there.planner.waiting_for() == ["control's catalog: not asked yet"]
    assert (await there.planner.make()).plans == ()
    assert there.planner.plans == {}
    await there.catalog.poll()
    assert "a heartbeat; the last came 1000 s ago" in there.planner.waiting_for()[0]


async def test_plans_are_made_when_the_fleet_has_settled_and_each_interval(
    world: Any, beat: Beat, inventory: Any
) -> None:
    there = world(member_ttl=10_000.0)
    await there.catalog.poll()
    await there.passes(1)
    appears(there, beat, inventory, "a1")
    await there.passes(0)
    await there.passes(1)
    assert there.rounds == 0
    await there.passes(1)
    assert (there.rounds, set(there.planner.plans)) == (1, {"a1"})
    await there.passes(800)
    assert there.rounds == 1
    await there.passes(100)
    assert there.rounds == 2


async def test_a_fleet_that_never_settles_is_planned_for_each_interval(world: Any, beat: Beat, inventory: Any) -> None:
    there = world(member_ttl=10_000.0, plan_interval=10.0)
    await there.catalog.poll()
    for second in range(1, 22):
        appears(there, beat, inventory, f"a{second}")
        await there.passes(1)
    assert there.rounds == 2


async def test_a_member_that_falls_silent_gives_its_masters_to_the_others(
    world: Any, beat: Beat, inventory: Any
) -> None:
    there = world(member_ttl=15.0)
    await there.catalog.poll()
    appears(there, beat, inventory, "a1", "a2")
    await there.planner.make()
    masters = {hold.rendition: name for name, plan in there.planner.plans.items() for hold in plan.hold if hold.master}
    assert len(masters) == 3
    lost = there.planner.plans["a2"]
    for second in range(1, 20):
        there.members.heartbeat(beat("a1", sequence=1 + second), there.clock.monotonic() + 1)
        await there.passes(1)
    assert all(hold.master for hold in there.planner.plans["a1"].hold)
    assert there.planner.plans["a2"] == lost


async def test_a_dry_run_changes_nothing_and_a_round_says_what_changed(world: Any, beat: Beat, inventory: Any) -> None:
    there = world()
    await there.catalog.poll()
    appears(there, beat, inventory, "a1")
    dry = await there.planner.make(dry_run=True, full="a1")
    assert [(row.appliance, row.changed, row.holds) for row in dry.plans] == [("a1", True, 3)]
    assert [plan.appliance for plan in dry.full] == ["a1"]
    assert (there.planner.plans, there.books.plans()) == ({}, {})
    made = await there.planner.make()
    assert [row.changed for row in made.plans] == [True]
    assert made.plans[0].plan == dry.plans[0].plan
    assert [row.changed for row in (await there.planner.make()).plans] == [False]
    assert there.books.plans() == there.planner.plans
    assert there.meter.value("oca_fill_plans_total", outcome="replaced") == 1
    assert there.meter.value("oca_fill_missing_bytes", appliance="a1") == made.plans[0].missing_bytes > 0


async def test_pins_apply_to_their_cluster_alone(world: Any, beat: Beat, inventory: Any, title: MakeTitle) -> None:
    there = world(pins=(Pin(title="bunny", rendition="v1-bunny", cluster="south-a"), Pin(title="nowhere")))
    await there.catalog.poll()
    room = title("bunny").renditions[1].bytes + 10
    appears(there, beat, inventory, "a1", capacity=room)
    appears(there, beat, inventory, "b1", capacity=room, cluster="south-a")
    await there.planner.make()
    assert [hold.rendition for hold in there.planner.plans["b1"].hold if hold.pinned] == ["v1-bunny"]
    assert not any(hold.pinned for hold in there.planner.plans["a1"].hold)


async def test_demand_moves_a_title_into_the_plan(
    world: Any, control: Any, beat: Beat, title: MakeTitle, demand: Callable[..., DemandReport]
) -> None:
    control.titles = [title("aaa", sizes=(1000,)), title("zzz", sizes=(1000,))]
    there = world(placement=PlacementSettings(churn=1.0))
    await there.catalog.poll()
    there.members.heartbeat(beat("a1", capacity=1300), there.clock.monotonic() - 30)
    there.members.heartbeat(beat("a1", capacity=1300, sequence=2), there.clock.monotonic())
    hour = int(there.clock.now()) // 3600 * 3600
    await there.books.keep_cluster("a1", "north-a")
    rows = [("zzz", rendition, hour - 3600 * n, 10**6) for n in range(24) for rendition in ("v0-zzz", "a-zzz")]
    await there.books.add_demand(demand("a1", *rows))
    await there.planner.make()
    assert {hold.title for hold in there.planner.plans["a1"].hold} == {"zzz"}


async def test_what_belongs_to_appliances_long_gone_is_dropped(world: Any, beat: Beat, inventory: Any) -> None:
    there = world()
    await there.catalog.poll()
    appears(there, beat, inventory, "a1")
    await there.planner.make()
    await there.passes(3601)
    assert set(there.planner.plans) == {"a1"}
    await there.passes(86_400)
    assert (there.planner.plans, there.books.plans(), len(there.members)) == ({}, {}, 0)
