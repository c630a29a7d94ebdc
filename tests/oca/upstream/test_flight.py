"""One object on its way: what is announced, what is kept, and what a bad source can do."""

import asyncio

import pytest

from control.kit.quantity import Seconds
from oca.upstream.faults import RefusedError
from oca.upstream.flight import HELD_BACK_BYTES

NAME = "00001.m4s"
SIZE = 400_000


@pytest.fixture
def made(world):
    return world.made(sizes=(1000, SIZE))


async def test_bytes_are_announced_as_they_come_and_the_last_ones_when_verified(world, fly, made):
    air, origin = await fly(), await world.source("origin", "cache", made)
    origin.gate.clear()
    origin.ways["*"] = "gated"
    ear = air.listen(made, NAME, origin)
    await world.until(lambda: len(ear.sent) == SIZE // 2)
    assert air.held(made, NAME) is None
    origin.gate.set()
    assert await air.end_of(ear) == "stored"
    assert ear.sent == air.held(made, NAME) == made.bodies[NAME]
    assert await air.leftovers() == []


async def test_a_small_object_is_announced_only_when_verified(world, fly, made):
    air, origin = await fly(), await world.source("origin", "cache", made)
    ear = air.listen(made, "init.mp4", origin)
    assert await air.end_of(ear) == "stored"
    assert ear.heard == ["growing", "stored"]
    assert ear.sent == made.bodies["init.mp4"]


async def test_an_empty_object_can_be_had(world, fly):
    made = world.made(sizes=(0, 5))
    air, origin = await fly(), await world.source("origin", "cache", made)
    ear = air.listen(made, "init.mp4", origin)
    assert await air.end_of(ear) == "stored"
    assert air.held(made, "init.mp4") == b""


@pytest.mark.parametrize("way", ["flipped", "flipped-last", "longer", "shorter", "chunked-longer"])
async def test_a_source_that_lies_completes_no_response_and_is_left_alone(world, fly, made, way):
    air, liar = await fly(), await world.source("origin", "cache", made)
    liar.ways["*"] = way
    ear = air.listen(made, NAME, liar)
    end = await air.end_of(ear)
    assert end == "failed" or end[0] == 503
    assert len(ear.sent) <= SIZE - HELD_BACK_BYTES
    assert air.held(made, NAME) is None
    assert await air.leftovers() == []
    assert air.trust.against("origin", made.key, world.clock.monotonic())
    with pytest.raises(RefusedError, match=r"503: origin: "):
        air.listen(made, NAME, liar)
    assert liar.count(made.object(NAME)) == 1
    assert world.meter.value("oca_upstream_failures_total", kind="LyingError") == 1


@pytest.mark.parametrize("way", ["broken", "stalled", "silent", "500", "404", "chunked-shorter"])
async def test_a_source_that_does_not_deliver_is_followed_by_the_next(world, fly, made, way):
    air = await fly(first_byte_timeout=Seconds(0.2), connect_timeout=Seconds(0.1))
    bad, good = await world.source("peer", "peer", made), await world.source("origin", "cache", made)
    bad.ways["*"] = way
    bad.gate.clear()
    ear = air.listen(made, NAME, bad, good)
    assert await air.end_of(ear) == "stored"
    assert ear.sent == made.bodies[NAME]
    assert (bad.count(made.object(NAME)), good.count(made.object(NAME))) == (1, 1)


async def test_a_lie_that_was_announced_is_cut_even_when_the_next_source_is_honest(world, fly, made):
    air = await fly()
    liar, honest = await world.source("peer", "peer", made), await world.source("origin", "cache", made)
    liar.files[str(made.object(NAME))] = b"\0" * SIZE
    early = air.listen(made, NAME, liar, honest)
    assert await air.end_of(early) == "failed"
    await world.until(lambda: air.held(made, NAME) == made.bodies[NAME])
    assert len(early.sent) <= SIZE - HELD_BACK_BYTES


async def test_a_lie_in_the_last_bytes_is_mended_by_the_next_source_without_a_cut(world, fly, made):
    air = await fly()
    liar, honest = await world.source("peer", "peer", made), await world.source("origin", "cache", made)
    liar.ways["*"] = "flipped-last"
    ear = air.listen(made, NAME, liar, honest)
    assert await air.end_of(ear) == "stored"
    assert ear.sent == made.bodies[NAME]


async def test_when_every_source_fails_the_words_of_all_are_told(world, fly, made):
    air = await fly()
    one, two = await world.source("peer", "peer", made), await world.source("origin", "cache", made)
    one.ways["*"], two.ways["*"] = "500", "503"
    status, reason = await air.end_of(air.listen(made, NAME, one, two))
    assert status == 503
    assert "peer: answered 500" in reason
    assert "origin: answered 503" in reason


async def test_an_origin_without_what_its_index_names_is_a_bad_gateway(world, fly, made):
    air, origin = await fly(), await world.source("origin", "cache")
    status, _ = await air.end_of(air.listen(made, NAME, origin))
    assert status == 502


async def test_our_name_is_added_to_those_the_request_has_passed(world, fly, made):
    air, origin = await fly(), await world.source("origin", "cache", made)
    await air.end_of(air.listen(made, NAME, origin, via=("b2", "c3")))
    assert origin.loops == ["b2, c3, a1"]


async def test_a_disk_that_fills_up_on_the_way_costs_nobody_the_object(world, fly, made, tmp_path):
    air = await fly(world.disk("d1", capacity=200_000), world.disk("d2"))
    origin = await world.source("origin", "cache", made)
    ear = air.listen(made, NAME, origin)
    assert await air.end_of(ear) == "stored"
    assert set(air.shelves.books.get(made.key).parts) == {"d2"}


async def test_without_room_anywhere_it_is_refused_in_words(world, fly, made):
    air, origin = await fly(world.disk(capacity=100_000)), await world.source("origin", "cache", made)
    status, reason = await air.end_of(air.listen(made, NAME, origin))
    assert (status, "no disk has room" in reason) == (503, True)
    assert origin.asked == []


async def test_room_is_made_by_removing_what_was_asked_for_longest_ago(world, fly):
    old, middle, new = (world.made(f"film-{n}", sizes=(1000, SIZE)) for n in range(3))
    air = await fly(world.disk(capacity=old.held_bytes * 5 // 2))
    origin = await world.source("origin", "cache", old, middle, new)
    for each in (old, middle):
        await air.end_of(air.listen(each, NAME, origin))
    await air.end_of(air.listen(old, "init.mp4", origin))
    await air.end_of(air.listen(new, NAME, origin))
    assert {entry.key.title for entry in air.shelves.books} == {"film-1", "film-2"}
    assert air.workers.told == [old.key.prefix], "being completed is not being asked for"


async def test_a_removed_disk_directory_leaves_the_object_to_another_disk(world, fly, made):
    air = await fly(world.disk("d1"), world.disk("d2"))
    origin = await world.source("origin", "cache", made)
    origin.gate.clear()
    origin.ways[str(made.object(NAME))] = ["gated", "ok"]
    ear = air.listen(made, NAME, origin)
    await world.until(lambda: ear.sent)
    busy = next(disk for disk in air.shelves.usable if any((disk.path / "incoming").iterdir()))
    busy.path.rename(busy.path.with_name("lost"))
    origin.gate.set()
    assert await air.end_of(ear) == "failed", "what it was promised cannot be kept under its name"
    later = air.listen(made, NAME, origin)
    assert await air.end_of(later) == "stored"
    assert busy.state == "missing"
    assert air.held(made, NAME) == made.bodies[NAME]


async def test_a_stop_ends_everything_and_leaves_nothing(world, fly, made):
    air, origin = await fly(), await world.source("origin", "cache", made)
    origin.gate.clear()
    origin.ways["*"] = "gated"
    ear = air.listen(made, NAME, origin)
    await world.until(lambda: ear.sent)
    await air.flights.stop()
    assert ear.heard[-1] == "failed"
    assert await air.leftovers() == []
    assert len(air.flights) == 0
    with pytest.raises(RefusedError, match="is stopping"):
        air.listen(made, NAME, origin)


async def test_reading_is_held_to_the_pace_until_somebody_is_in_a_hurry(world, fly, made):
    air, origin = await fly(), await world.source("origin", "cache", made)
    slow = air.listen(made, NAME, origin, pace=lambda _: 60.0)
    await world.until(lambda: slow.sent)
    await asyncio.sleep(0.05)
    assert not slow.over
    viewer = air.listen(made, NAME, origin)
    assert await air.end_of(viewer) == "stored"
    assert slow.sent == viewer.sent == made.bodies[NAME]
    assert origin.count(made.object(NAME)) == 1
