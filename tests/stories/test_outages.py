"""Each process of the fleet dies in turn: the others serve on, and it rejoins by itself once it is back."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
import pytest_asyncio

from bench.demo.fleet import Fleet
from bench.demo.layout import APPLIANCES, SERVICES
from bench.demo.observing import cataloged, holding, joined
from bench.player.limits import PlayerLimits
from bench.player.session import Player
from control.wire import Title

pytestmark = [pytest.mark.media, pytest.mark.asyncio(loop_scope="session")]

Until = Callable[..., Awaitable[None]]
NAMES = [appliance.name for appliance in APPLIANCES]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield session


async def serves(session: aiohttp.ClientSession, fleet: Fleet, title: Title, appliance: str) -> None:
    """`appliance` sends a whole segment of the title."""
    rendition = title.renditions[0].id
    async with session.get(f"{fleet.url(appliance)}/s/{title.id}/{rendition}/00001.m4s") as answer:
        assert answer.status == 200
        assert len(await answer.read()) == answer.content_length


def player_of(fleet: Fleet, title: Title, device: str) -> Player:
    return Player(
        control_url=fleet.url("control"),
        title=title.id,
        profile=f"viewer-of-{device}",
        device=device,
        format="hls",
        limits=PlayerLimits(buffer_goal_s=8.0, speed=4.0),
    )


def members(fleet: Fleet, name: str, words: str) -> list[int]:
    """The processes of `name` whose command line has `words`."""
    return [pid for pid, line in fleet.child(name).members().items() if words in line]


@pytest.mark.parametrize("service", SERVICES)
async def test_appliances_serve_on_without_a_service_and_it_rejoins(
    fleet: Fleet, title: Title, session: aiohttp.ClientSession, service: str
) -> None:
    await fleet.kill(service)
    for appliance in NAMES:
        await serves(session, fleet, title, appliance)
    await fleet.start(service)
    await cataloged(fleet, title.id)
    await joined(fleet, NAMES)
    await holding(fleet, title.id, NAMES)


async def test_playing_goes_on_when_control_steering_fill_and_origin_are_all_dead(fleet: Fleet, title: Title) -> None:
    player = player_of(fleet, title, "survivor")
    await player.start()
    try:
        await player.play_until(2_000)
        await fleet.kill(*SERVICES)
        await player.play_until(title.duration_ms - 1_000)
    finally:
        result = await player.stop()
        await fleet.start(*SERVICES)
    assert (result.stalls, result.error) == (0, "")
    assert set(result.bytes_by_pathway) <= set(NAMES)
    await joined(fleet, NAMES)
    await holding(fleet, title.id, NAMES)


async def test_playing_goes_on_from_another_appliance_when_one_dies_and_it_rejoins(fleet: Fleet, title: Title) -> None:
    player = player_of(fleet, title, "mover")
    await player.start()
    try:
        await player.play_until(2_000)
        dead = player.serving
        await fleet.kill(dead)
        await player.play_until(title.duration_ms - 1_000)
    finally:
        result = await player.stop()
    assert (result.stalls, result.error) == (0, "")
    assert result.serving in set(NAMES) - {dead}
    await fleet.start(dead)
    await joined(fleet, NAMES)
    decision = await holding(fleet, title.id, NAMES)
    assert decision.pathways[0].pathway == dead


async def test_workers_serve_on_without_their_keeper_and_it_is_started_again(
    fleet: Fleet, title: Title, session: aiohttp.ClientSession, until: Until
) -> None:
    (keeper,) = members(fleet, "north-1", "oca.keeper")
    os.kill(keeper, signal.SIGKILL)
    await serves(session, fleet, title, "north-1")
    await until(lambda: [pid for pid in members(fleet, "north-1", "oca.keeper") if pid != keeper])
    await fleet.ready("north-1")
    await joined(fleet, NAMES)
    await holding(fleet, title.id, NAMES)


async def test_an_appliance_serves_on_without_a_worker_and_it_is_started_again(
    fleet: Fleet, title: Title, session: aiohttp.ClientSession, until: Until
) -> None:
    first, second = members(fleet, "south-1", "oca.front")
    os.kill(first, signal.SIGKILL)
    await asyncio.gather(*(serves(session, fleet, title, "south-1") for _ in range(4)))
    await until(lambda: len(members(fleet, "south-1", "oca.front")) == 2)
    assert second in members(fleet, "south-1", "oca.front")
    await joined(fleet, NAMES)


async def test_nothing_else_ended_meanwhile(fleet: Fleet) -> None:
    fleet.check()
