"""Indexes: fetched first, checked, kept, and asked for once."""

import asyncio

import msgspec
import pytest

from control.wire import encode
from oca.upstream.faults import RefusedError


@pytest.fixture
def made(world):
    return world.made()


def get(air, made, *sources, **more):
    return air.indexes.get(made.key, [source.source() for source in sources], **more)


async def refusal(awaitable):
    with pytest.raises(RefusedError) as caught:
        await awaitable
    return caught.value


async def test_an_index_is_fetched_once_and_then_known(world, fly, made):
    air, origin = await fly(), await world.source("origin", "cache", made)
    found = await asyncio.gather(*(get(air, made, origin) for _ in range(100)))
    assert {index.xxh3 for index in found} == {made.index.xxh3}
    assert (await get(air, made, origin)).position("00002.m4s") == 2
    assert origin.asked == [f"{made.key}/index.json"]


async def test_an_index_on_our_disks_needs_no_upstream(world, fly, made):
    air = await fly()
    await world.put(air.shelves, made)
    assert (await get(air, made)).data == made.index_body


@pytest.mark.parametrize(
    "wrong",
    [
        b"{}",
        b"\xff\xfe",
        lambda made: encode(msgspec.structs.replace(made.message, title="another")),
        lambda made: encode(msgspec.structs.replace(made.message, objects=made.message.objects * 2)),
        lambda made: encode(msgspec.structs.replace(made.message, version=99)),
    ],
    ids=["not an index", "not text", "of another title", "names twice", "of the future"],
)
async def test_what_is_no_index_of_it_is_a_lie(world, fly, made, wrong):
    air, liar, honest = (
        await fly(),
        await world.source("peer", "peer", made),
        await world.source("origin", "cache", made),
    )
    liar.files[f"{made.key}/index.json"] = wrong if isinstance(wrong, bytes) else wrong(made)
    assert (await get(air, made, liar, honest)).data == made.index_body
    assert air.trust.against("peer", made.key, world.clock.monotonic())


async def test_an_index_that_is_not_the_plans_is_a_lie(world, fly, made):
    air, origin = await fly(), await world.source("origin", "cache", made)
    refused = await refusal(get(air, made, origin, xxh3="0" * 32))
    assert refused.status == 503
    assert "is not the plan's" in refused.reason
    assert air.trust.against("origin", made.key, world.clock.monotonic())


async def test_an_index_that_is_too_large_is_not_read_to_its_end(world, fly, made):
    air, origin = await fly(index_limit=100), await world.source("origin", "cache", made)
    assert "more than 100 bytes" in (await refusal(get(air, made, origin))).reason


async def test_an_index_that_promises_an_object_too_large_is_refused(world, fly, made):
    air, origin = await fly(object_limit=1000), await world.source("origin", "cache", made)
    assert "at most 1000 are kept" in (await refusal(get(air, made, origin))).reason


async def test_what_the_origin_does_not_know_is_remembered_for_a_while(world, fly, made):
    air, origin = await fly(), await world.source("origin")
    for _ in range(3):
        assert (await refusal(get(air, made, origin))).status == 404
    assert len(origin.asked) == 1
    origin.add(made)
    await world.until(lambda: not air.indexes.negative.get(made.key, world.clock.monotonic()))
    assert (await get(air, made, origin)).data == made.index_body


async def test_a_peer_that_does_not_have_it_proves_nothing(world, fly, made):
    air, peer = await fly(), await world.source("b2", "peer")
    assert (await refusal(get(air, made, peer))).status == 503
    assert len(air.indexes.negative) == 0


async def test_no_answer_is_not_no_such_title(world, fly, made):
    air, origin = await fly(), await world.source("origin", "cache", made)
    origin.ways["*"] = "500"
    assert (await refusal(get(air, made, origin))).status == 503
    await origin.stop()
    assert (await refusal(get(air, made, origin))).status == 503


async def test_a_viewer_who_joins_a_fill_is_not_bound_to_its_sources(world, fly, made):
    air, peer, origin = await fly(), await world.source("b2", "peer"), await world.source("origin", "cache", made)
    peer.gate.clear()
    peer.ways["*"] = "silent"
    fill = asyncio.create_task(refusal(get(air, made, peer)))
    await world.until(lambda: peer.asked)
    viewer = asyncio.create_task(get(air, made, origin))
    await asyncio.sleep(0)
    peer.gate.set()
    assert (await viewer).data == made.index_body
    await fill


async def test_who_waits_may_leave_at_any_moment(world, fly):
    air, origin = await fly(), await world.source()
    for steps in range(40):
        made = world.made(f"film-{steps}")
        origin.add(made)
        first, second = (asyncio.create_task(get(air, made, origin)) for _ in range(2))
        for _ in range(steps):
            await asyncio.sleep(0)
        first.cancel()
        assert (await second).data == made.index_body
        await asyncio.gather(first, return_exceptions=True)
        assert origin.count(f"{made.key}/index.json") == 1


async def test_only_so_many_are_kept_in_memory(world, fly):
    air, origin = await fly(index_entries=2), await world.source()
    films = [world.made(f"film-{n}") for n in range(4)]
    origin.add(*films)
    for made in films:
        await get(air, made, origin)
    assert [air.indexes.in_memory(made.key) is not None for made in films] == [False, False, True, True]
