"""The keeper as a process: killed in the middle of a fill, started twice, told to stop."""

import asyncio
import json
import signal
import socket
import sys

import aiohttp
import msgspec
import pytest
import yaml

from oca.config import load


@pytest.fixture
async def process(world):
    """Starts `python -m oca.keeper` with settings; kills it at the end."""
    started = []

    async def start(settings, name="appliance.yaml"):
        file = world.path / name
        file.write_text(yaml.safe_dump(json.loads(msgspec.json.encode(settings, enc_hook=str))))
        load(file)
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "oca.keeper", "--config", file, stderr=asyncio.subprocess.PIPE
        )
        started.append(child)
        return child

    yield start
    for child in started:
        if child.returncode is None:
            child.kill()
        await child.communicate()


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def with_admin(settings, port):
    return msgspec.structs.replace(settings, admin=msgspec.structs.replace(settings.admin, port=port))


async def status(port):
    try:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/v1/status") as answer:
            return await answer.json()
    except aiohttp.ClientError:
        return None


async def until(ask, holds, limit_s=20):
    async with asyncio.timeout(limit_s):
        while True:
            found = await ask()
            if found and holds(found):
                return found
            await asyncio.sleep(0.02)


async def test_killed_in_the_middle_of_a_fill_it_finishes_without_fetching_anything_twice(world, services, process):
    made = [world.made(f"film-{number}", sizes=(1000,) + (30_000,) * 12) for number in range(4)]
    origin = await world.source("origin", "cache", *made)
    rate = sum(film.bytes for film in made) * 8  # a second's worth
    services.plan = world.plan(*(film.hold(origin.source()) for film in made), rate=rate)
    port = free_port()
    settings = with_admin(world.settings(origin=origin, services=services), port)
    first = await process(settings)
    await until(lambda: status(port), lambda found: found["fill"] and 15 < found["fill"]["objects_done"] < 45)
    first.send_signal(signal.SIGKILL)
    await first.wait()
    kept = {
        file.relative_to(world.path / "d1" / "segments").as_posix()
        for file in (world.path / "d1" / "segments").rglob("*")
        if file.is_file()
    }
    for key in kept:
        film = next(film for film in made if key.startswith(film.key.prefix))
        assert (world.path / "d1" / "segments" / key).read_bytes() == film.files()[key]
    asked_before = len(origin.asked)
    await process(settings)
    found = await until(lambda: status(port), lambda found: found["fill"] and found["fill"]["state"] == "done")
    assert found["objects"] == 4 * 13
    again = origin.asked[asked_before:]
    assert not kept & set(again), "what was kept is not fetched again"
    assert len(again) == len(set(again)) == 4 * 14 - len(kept)


async def test_a_second_keeper_is_refused_with_the_words_and_the_status_of_storage(world, process):
    port = free_port()
    settings = with_admin(world.settings(), port)
    await process(settings)
    await until(lambda: status(port), bool)
    elsewhere = with_admin(world.settings(run=world.path / "other-run"), 0)
    second = await process(elsewhere, "second.yaml")
    _, words = await asyncio.wait_for(second.communicate(), 20)
    assert second.returncode == 5
    assert b"another keeper is using it" in words.splitlines()[-1]
    assert b"Traceback" not in words


async def test_a_taken_admin_port_is_the_status_of_addresses(world, process):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        child = await process(with_admin(world.settings(), sock.getsockname()[1]))
        _, words = await asyncio.wait_for(child.communicate(), 20)
    assert child.returncode == 4
    assert b"the port is in use" in words


async def test_told_to_stop_it_stops_and_its_books_are_warm(world, process, services):
    made = world.made()
    origin = await world.source("origin", "cache", made)
    services.plan = world.plan(made.hold(origin.source()))
    port = free_port()
    settings = with_admin(world.settings(origin=origin, services=services), port)
    child = await process(settings)
    await until(lambda: status(port), lambda found: found["fill"] and found["fill"]["state"] == "done")
    child.send_signal(signal.SIGTERM)
    await asyncio.wait_for(child.communicate(), 20)
    assert child.returncode == 0
    assert not settings.keeper_socket.exists()
    asked = len(origin.asked)
    await process(settings)
    found = await until(lambda: status(port), lambda found: found["fill"] and found["fill"]["state"] == "done")
    assert (found["objects"], len(origin.asked)) == (3, asked)
