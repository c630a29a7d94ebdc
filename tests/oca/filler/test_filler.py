"""Carrying a plan out over real sockets: order, window, rate, escalation, failures, resuming."""

import asyncio
import time

import msgspec
import pytest

from control.kit.quantity import Seconds
from oca.config import FillerSettings
from oca.filler.filler import Filler
from oca.filler.plans import PlanBook


@pytest.fixture
def films(world):
    return [world.made(f"film-{number}", sizes=(1000, 50_000, 60_000)) for number in range(4)]


@pytest.fixture
async def fill(world, fly):
    """A filler with everything below it; `follow(plan)` begins."""

    class Fill:
        def __init__(self, air):
            self.air = air
            settings = world.settings(
                filler=FillerSettings(attempts=3, retry_delay=Seconds(0.02), retry_limit=Seconds(0.05), concurrency=2)
            )
            self.plans = PlanBook(world.path / "plan.json", me="a1")
            self.filler = Filler(
                settings,
                plans=self.plans,
                shelves=air.shelves,
                indexes=air.indexes,
                flights=air.flights,
                clock=world.clock,
                meter=world.meter,
            )
            self.filler.start()

        def follow(self, plan):
            air.stowage.follow(plan)
            self.plans.take(plan)
            return self

        @property
        def report(self):
            return self.filler.report()

        async def ended(self):
            def over():
                return self.report is not None and self.report.state in ("done", "failed")

            await world.until(over, what="the end of the plan")
            return self.report

    air = await fly(world.disk(capacity=10_000_000))
    found = Fill(air)
    world.stack.push_async_callback(found.filler.stop)
    return found


async def test_a_plan_is_carried_out_in_its_order(world, fill, films):
    origin = await world.source("origin", "cache", *films)
    report = await fill.follow(world.plan(*(film.hold(origin.source()) for film in films))).ended()
    assert report.state == "done"
    assert report.objects_done == report.objects_total == 12
    assert report.bytes_done == report.bytes_total == sum(film.held_bytes for film in films)
    assert report.bytes_by_source == {"cache:origin": sum(film.held_bytes for film in films)}
    assert report.errors == ()
    assert sorted(origin.asked) == sorted(key for film in films for key in film.files())
    titles = [key.split("/")[0] for key in origin.asked if "index" in key]
    assert titles == [film.key.title for film in films]


async def test_what_is_held_is_not_fetched_again(world, fill, films):
    origin = await world.source("origin", "cache", *films)
    await world.put(fill.air.shelves, films[0])
    await world.put(fill.air.shelves, films[1], "00001.m4s")
    await fill.follow(world.plan(films[0].hold(origin.source()), films[1].hold(origin.source()))).ended()
    assert sorted(origin.asked) == [f"{films[1].key}/00002.m4s", f"{films[1].key}/init.mp4"]


async def test_nothing_is_fetched_before_the_window_nor_after(world, fill, films):
    origin = await world.source("origin", "cache", *films)
    later = world.plan(films[0].hold(origin.source()), start=time.time() + 0.4, end=time.time() + 99)
    fill.follow(later)
    await world.until(lambda: fill.report)
    await asyncio.sleep(0.1)
    assert (fill.report.state, origin.asked) == ("waiting", [])
    assert (await fill.ended()).state == "done"
    over = world.plan(films[1].hold(origin.source()), name="p2", start=0.0, end=1.0)
    fill.follow(over)
    await world.until(lambda: fill.report.plan == "p2")
    assert (await fill.ended()).state == "failed"
    assert not any(key.startswith("film-1") for key in origin.asked)


async def test_the_window_closes_on_what_is_under_way(world, fill, films):
    origin = await world.source("origin", "cache", *films)
    origin.gate.clear()
    origin.ways["*"] = "gated"
    origin.ways[f"{films[0].key}/index.json"] = "ok"
    fill.follow(world.plan(films[0].hold(origin.source()), end=time.time() + 0.3))
    assert (await fill.ended()).state == "failed"
    await world.until(lambda: len(fill.air.flights) == 0)
    assert await fill.air.leftovers() == []


async def test_the_rate_is_kept(world, fill, films):
    origin = await world.source("origin", "cache", *films)
    size = sum(film.bytes for film in films[:2])
    began = time.monotonic()
    await fill.follow(world.plan(*(film.hold(origin.source()) for film in films[:2]), rate=size * 8 * 2)).ended()
    assert time.monotonic() - began > 0.5 - 0.25


async def test_the_origin_is_asked_only_after_the_escalation(world, fill, films):
    peer, origin = await world.source("b2", "peer"), await world.source("origin", "cache", films[0])
    escalation = time.time() + 0.4
    hold = films[0].hold(peer.source(), origin.source(not_before=escalation))
    fill.follow(world.plan(hold))
    await world.until(lambda: peer.asked)
    assert origin.asked == []
    report = await fill.ended()
    assert time.time() >= escalation
    assert report.state == "done"
    assert set(report.bytes_by_source) == {"cache:origin"}


async def test_before_any_source_may_be_asked_it_waits_without_failing(world, fill, films):
    origin = await world.source("origin", "cache", films[0])
    fill.follow(world.plan(films[0].hold(origin.source(not_before=time.time() + 0.3))))
    await asyncio.sleep(0.1)
    assert origin.asked == []
    report = await fill.ended()
    assert (report.state, report.errors) == ("done", ())


async def test_what_fails_is_tried_again_and_the_rest_goes_on(world, fill, films):
    origin = await world.source("origin", "cache", *films)
    origin.ways[f"{films[0].key}/00001.m4s"] = ["404", "404", "ok"]
    report = await fill.follow(world.plan(*(film.hold(origin.source()) for film in films))).ended()
    assert report.state == "done"
    assert any("404" in words for words in report.errors)
    assert origin.count(f"{films[0].key}/00001.m4s") == 3


async def test_what_cannot_be_had_is_given_up_after_so_many_tries(world, fill, films):
    origin = await world.source("origin", "cache", *films)
    origin.ways[f"{films[0].key}/00001.m4s"] = "404"
    report = await fill.follow(world.plan(*(film.hold(origin.source()) for film in films))).ended()
    assert (report.state, report.objects_total - report.objects_done) == ("failed", 1)
    assert origin.count(f"{films[0].key}/00001.m4s") == 3


async def test_a_new_plan_replaces_the_one_under_way(world, fill, films):
    origin = await world.source("origin", "cache", *films)
    origin.gate.clear()
    origin.ways["*"] = "gated"
    fill.follow(world.plan(films[0].hold(origin.source())))
    await world.until(lambda: origin.asked)
    origin.ways.clear()
    fill.follow(world.plan(films[1].hold(origin.source()), name="p2"))
    await world.until(lambda: fill.report.plan == "p2")
    assert (await fill.ended()).state == "done"
    assert fill.air.shelves.books.get(films[0].key) is None


async def test_what_the_plan_dooms_makes_way_and_what_it_holds_stays(world, fly, fill, films):
    origin = await world.source("origin", "cache", *films)
    disk = fill.air.shelves.disks["d1"]
    for film in films[:3]:
        await world.put(fill.air.shelves, film)
        fill.air.stowage._track(film.key)
    disk.capacity_bytes = films[0].held_bytes * 3 + 500
    plan = world.plan(
        films[0].hold(origin.source()),
        films[3].hold(origin.source()),
        evict=(_evict(films[2]),),
    )
    assert (await fill.follow(plan).ended()).state == "done"
    assert {entry.key for entry in fill.air.shelves.books} == {films[0].key, films[1].key, films[3].key}


async def test_a_plan_that_does_not_fit_is_carried_out_as_far_as_it_goes(world, fill, films):
    origin = await world.source("origin", "cache", *films)
    fill.air.shelves.disks["d1"].capacity_bytes = films[0].held_bytes * 2 + 500
    report = await fill.follow(world.plan(*(film.hold(origin.source()) for film in films))).ended()
    assert report.state == "failed"
    assert "2 renditions of the plan do not fit" in report.errors[0]
    assert {entry.key for entry in fill.air.shelves.books} == {films[0].key, films[1].key}


async def test_the_last_plan_outlives_the_process(world, films):
    plan = world.plan(films[0].hold())
    PlanBook(world.path / "plan.json", me="a1").take(plan)
    again = PlanBook(world.path / "plan.json", me="a1")
    again.load()
    assert again.current == plan
    assert again.hold(films[0].key) == plan.hold[0]


@pytest.mark.parametrize("body", [b"", b"{}", None])
async def test_a_copy_that_cannot_be_read_is_no_plan(world, films, body):
    file = world.path / "plan.json"
    PlanBook(file, me="a2").take(msgspec.structs.replace(world.plan(films[0].hold()), appliance="a2"))
    if body is not None:
        file.write_bytes(body)
    again = PlanBook(file, me="a1")
    again.load()
    assert again.current is None


def _evict(film):
    from control.wire import Evict

    return Evict(title=film.key.title, rendition=film.key.rendition, bytes=film.bytes, reason="fades")
