"""However many ask, one fetch; whoever leaves, the others lose nothing."""

import asyncio

import pytest

from oca.upstream.faults import RefusedError

NAME = "00001.m4s"
SIZE = 400_000


@pytest.fixture
def made(world):
    return world.made(sizes=(1000, SIZE, 5000))


def fetch(air, made, source, name=NAME):
    position = made.index.position(name)
    return air.flights.fetch(made.index, position, sources=[source.source()])


async def test_a_thousand_who_wait_are_one_request(world, fly, made):
    air, origin = await fly(), await world.source("origin", "cache", made)
    origin.gate.clear()
    origin.ways["*"] = "gated"
    tasks = [asyncio.create_task(fetch(air, made, origin)) for _ in range(1000)]
    await world.until(lambda: origin.asked)
    origin.gate.set()
    paths = await asyncio.gather(*tasks)
    assert {path.read_bytes() for path in paths} == {made.bodies[NAME]}
    assert origin.asked == [str(made.object(NAME))]
    assert world.meter.value("oca_upstream_joined_total") == 999
    assert len(air.flights) == 0


async def test_the_first_to_ask_may_leave_at_any_moment(world, fly):
    air = await fly()
    origin = await world.source()
    for steps in range(60):
        made = world.made(f"film-{steps}", sizes=(1000, 150_000))
        origin.add(made)
        first = asyncio.create_task(fetch(air, made, origin))
        second = asyncio.create_task(fetch(air, made, origin))
        await _some_steps(steps)
        first.cancel()
        path = await second
        assert path.read_bytes() == made.bodies[NAME]
        assert origin.count(made.object(NAME)) == 1
        await asyncio.gather(first, return_exceptions=True)
    assert await air.leftovers() == []


async def test_when_everybody_leaves_the_fetch_ends_and_the_next_begins_a_new_one(world, fly):
    air = await fly()
    origin = await world.source()
    for steps in range(60):
        made = world.made(f"film-{steps}", sizes=(1000, 150_000))
        origin.add(made)
        tasks = [asyncio.create_task(fetch(air, made, origin)) for _ in range(3)]
        await _some_steps(steps)
        for task in tasks:
            task.cancel()
        path = await fetch(air, made, origin)
        assert path.read_bytes() == made.bodies[NAME]
        await asyncio.gather(*tasks, return_exceptions=True)
    await world.until(lambda: len(air.flights) == 0)
    await air.shelves.landed()
    assert await air.leftovers() == []
    for disk in air.shelves.usable:
        files = [file for file in (disk.path / "segments").rglob("*") if file.is_file()]
        assert disk.used_bytes == sum(file.stat().st_size for file in files)
        assert disk.promised_bytes == 0


async def test_an_abandoned_fetch_stops_reading(world, fly, made):
    air, origin = await fly(), await world.source("origin", "cache", made)
    origin.gate.clear()
    origin.ways["*"] = "gated"
    task = asyncio.create_task(fetch(air, made, origin))
    await world.until(lambda: origin.asked)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await world.until(lambda: len(air.flights) == 0)
    assert await air.leftovers() == []


async def test_a_circle_is_refused_instead_of_waited_for(world, fly, made):
    air, peer = await fly(), await world.source("b2", "peer", made)
    peer.gate.clear()
    peer.ways["*"] = "silent"
    viewer = air.listen(made, NAME, peer)
    await world.until(lambda: peer.asked)
    with pytest.raises(RefusedError) as caught:
        air.listen(made, NAME, peer, via=("b2",))
    assert caught.value.status == 508
    peer.gate.set()
    assert await air.end_of(viewer) == "stored"


async def test_who_joins_brings_sources_that_the_first_did_not_have(world, fly, made):
    air = await fly()
    dead, origin = await world.source("peer", "peer"), await world.source("origin", "cache", made)
    dead.gate.clear()
    dead.ways["*"] = "silent"
    fill = air.listen(made, NAME, dead)
    await world.until(lambda: dead.asked)
    viewer = air.listen(made, NAME, dead, origin)
    dead.gate.set()
    assert await air.end_of(viewer) == "stored"
    assert fill.heard[-1] == "stored"


async def test_too_many_at_once_are_refused(world, fly, made):
    air, origin = await fly(max_flights=1), await world.source("origin", "cache", made)
    origin.gate.clear()
    origin.ways["*"] = "gated"
    ear = air.listen(made, NAME, origin)
    with pytest.raises(RefusedError, match="too many fetches"):
        air.listen(made, "init.mp4", origin)
    origin.gate.set()
    await air.end_of(ear)


async def test_one_source_is_asked_for_so_many_at_a_time(world, fly):
    made = world.made(sizes=(10,) * 20)
    air, origin = await fly(max_per_source=3), await world.source("origin", "cache", made)
    origin.gate.clear()
    origin.ways["*"] = "gated"
    ears = [air.listen(made, name, origin) for name in made.names]
    await world.until(lambda: len(origin.asked) == 3)
    await asyncio.sleep(0.05)
    assert len(origin.asked) == 3
    origin.gate.set()
    for ear in ears:
        assert await air.end_of(ear) == "stored"


async def test_a_source_that_cannot_be_reached_is_not_tried_for_every_miss(world, fly, made):
    air, dead = await fly(), await world.source("origin", "cache", made)
    await dead.stop()
    status, reason = await air.end_of(air.listen(made, NAME, dead))
    assert (status, "cannot be reached" in reason) == (503, True)
    with pytest.raises(RefusedError, match="cannot be reached"):
        air.listen(made, "init.mp4", dead)
    await dead.start()
    await world.until(lambda: not air.trust.against("origin", made.key, world.clock.monotonic()))
    assert await air.end_of(air.listen(made, NAME, dead)) == "stored"


async def test_one_object_the_origin_has_rotten_takes_nothing_else_away(world, fly, made):
    rotten = world.made("rotten")
    air, origin = await fly(), await world.source("origin", "cache", made, rotten)
    origin.ways[str(rotten.object(NAME))] = "500"
    origin.ways[str(rotten.object("init.mp4"))] = "flipped"
    for name in (NAME, "init.mp4"):
        assert (await air.end_of(air.listen(rotten, name, origin)))[0] == 503
    assert await air.end_of(air.listen(made, NAME, origin)) == "stored"


async def test_what_is_on_its_way_is_not_evicted(world, fly, made):
    air, origin = await fly(), await world.source("origin", "cache", made)
    origin.gate.clear()
    origin.ways["*"] = "gated"
    ear = air.listen(made, NAME, origin)
    assert air.flights.touches(made.key)
    origin.gate.set()
    await air.end_of(ear)
    await world.until(lambda: not air.flights.touches(made.key))


async def test_dropping_a_rendition_ends_its_flights(world, fly, made):
    air, origin = await fly(), await world.source("origin", "cache", made)
    origin.gate.clear()
    origin.ways["*"] = "gated"
    ear = air.listen(made, NAME, origin)
    small = air.listen(made, "00002.m4s", origin)
    await world.until(lambda: ear.sent)
    await air.flights.drop(made.key, NAME)
    assert ear.heard[-1] == "failed"
    assert not small.over
    await air.flights.drop(made.key)
    assert small.heard[-1][0] == 503
    assert len(air.flights) == 0


async def _some_steps(steps):
    """Let the loop go round; the later ones take a little real time, for sockets and disks to answer."""
    for step in range(steps):
        await asyncio.sleep(0 if step < 20 else 0.001)
