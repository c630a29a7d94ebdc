"""What makes way for what, and in which order a removal happens."""

import asyncio

import msgspec
import pytest

from control.wire import encode
from oca.store.layout import rendition_path
from oca.upstream.known import read_index

NAME = "00001.m4s"


@pytest.fixture
def films(world):
    return [world.made(f"film-{number}", sizes=(1000, 100_000)) for number in range(4)]


@pytest.fixture
async def full(world, fly, films):
    """A store with room for two films, holding the first two."""
    air = await fly(world.disk(capacity=films[0].held_bytes * 2 + 1000))
    for film in films[:2]:
        await world.put(air.shelves, film)
    air.stowage.load()
    air.origin = await world.source("origin", "cache", *films)
    return air


def held(air):
    return {entry.key.title for entry in air.shelves.books}


async def arrive(air, film, **more):
    return await air.end_of(air.listen(film, NAME, air.origin, **more))


def no_rest(_):
    return 0.0


async def test_what_no_plan_names_makes_way_before_what_the_plan_holds(world, full, films):
    full.stowage.follow(world.plan(films[0].hold()))
    assert await arrive(full, films[2]) == "stored"
    assert held(full) == {"film-0", "film-2"}


async def test_for_a_viewer_planned_ones_make_way_when_nothing_else_is_left_the_least_valuable_first(
    world, full, films
):
    full.stowage.follow(world.plan(films[0].hold(value=1.0), films[1].hold(value=9.0)))
    assert await arrive(full, films[2]) == "stored"
    assert held(full) == {"film-1", "film-2"}


async def test_pinned_ones_make_way_last(world, full, films):
    full.stowage.follow(world.plan(films[0].hold(value=9.0), films[1].hold(value=1.0, pinned=True)))
    assert await arrive(full, films[2]) == "stored"
    assert held(full) == {"film-1", "film-2"}


async def test_for_a_fill_nothing_that_is_planned_makes_way(world, full, films):
    full.stowage.follow(world.plan(*(film.hold() for film in films[:3])))
    status, reason = await arrive(full, films[2], pace=no_rest)
    assert (status, "no disk has room" in reason) == (503, True)
    assert held(full) == {"film-0", "film-1"}
    full.stowage.follow(world.plan(films[0].hold(), films[2].hold()))
    assert await arrive(full, films[2], pace=no_rest) == "stored"
    assert held(full) == {"film-0", "film-2"}


async def test_many_that_need_room_at_once_do_not_remove_more_than_they_need(world, fly, films):
    small = [world.made(f"small-{number}", sizes=(1000, 9_000)) for number in range(30)]
    air = await fly(world.disk(capacity=films[0].held_bytes * 3))
    for film in films[:2]:
        await world.put(air.shelves, film)
    air.stowage.load()
    air.origin = await world.source("origin", "cache", *small)
    ends = await asyncio.gather(*(arrive(air, film) for film in small[:14]))
    assert ends == ["stored"] * 14
    assert len(air.workers.told) <= 1
    air.stowage.policy.audit()
    air.shelves.books.audit()


async def test_removal_is_told_after_it_is_out_of_sight_and_wants_wait_for_its_end(world, full, films):
    place = rendition_path(full.shelves.disks["d1"].path, films[0].key)
    order = []

    def gone(prefix):
        order.append((prefix, place.exists()))

    async def flushed():
        order.append("waits" if not waiter.done() else "went on")

    full.workers.gone, full.workers.flushed = gone, flushed
    removal = asyncio.create_task(full.stowage.remove(films[0].key, reason="operator"))
    await asyncio.sleep(0)
    waiter = asyncio.create_task(full.stowage.settled(films[0].key))
    assert await removal == films[0].held_bytes
    await waiter
    assert order == [(films[0].key.prefix, False), "waits"]


async def test_a_rendition_whose_index_became_another_is_removed_before_the_new_one_comes(world, full, films):
    film = films[0]
    changed = encode(msgspec.structs.replace(film.message, timescale=90_000))
    film.index = read_index(film.key, changed, object_limit=1 << 40)
    assert await arrive(full, film) == "stored"
    assert full.workers.told == [film.key.prefix]
    entry = full.shelves.books.get(film.key)
    assert (entry.index_xxh3, entry.objects_held) == (film.index.xxh3, 1)
