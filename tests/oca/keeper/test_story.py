"""A keeper between workers, sources, a planner and steering: what an appliance lives through."""

import asyncio
import shutil
import time
from pathlib import Path

import pytest

from control.kit.errors import StorageError
from control.wire import Receipt, decode
from oca.config import DiskSettings
from oca.keeper.daemon import Keeper
from oca.link import messages as link


@pytest.fixture
def made(world):
    return world.made()


def read(path):
    return Path(path).read_bytes()


async def test_a_worker_is_told_where_to_look_and_gets_what_is_missing(world, box, made):
    origin = await world.source("origin", "cache", made)
    appliance = await box(origin=origin)
    worker = await appliance.worker()
    (welcome,) = worker.all(link.Welcome)
    assert welcome.disks == (str(world.path / "d1"),)
    key = made.object("00002.m4s")
    stored = await worker.want(key)
    assert isinstance(stored, link.Stored)
    assert read(stored.path) == made.bodies["00002.m4s"]
    (growing,) = worker.all(link.Growing, key)
    assert growing.length == 300_000
    available = [growing.available, *(each.available for each in worker.all(link.Grown, key))]
    assert available == sorted(set(available))
    assert available[-1] == 300_000


async def test_what_is_on_a_disk_already_is_named_at_once(world, box, made):
    origin = await world.source("origin", "cache", made)
    appliance = await box(origin=origin)
    worker = await appliance.worker()
    await worker.want(made.object("init.mp4"))
    again = await worker.want(made.object("init.mp4"))
    assert isinstance(again, link.Stored)
    assert origin.count(made.object("init.mp4")) == 1


async def test_an_index_is_handed_on_to_peers(world, box, made):
    origin = await world.source("origin", "cache", made)
    worker = await (await box(origin=origin)).worker()
    stored = await worker.want(f"{made.key}/index.json", via=("b2",))
    assert read(stored.path) == made.index_body


@pytest.mark.parametrize(
    ("key", "via", "status"),
    [
        ("film/v1-aaaa/99999.m4s", (), 404),
        ("unknown/v1/init.mp4", (), 404),
        ("film/../init.mp4", (), 404),
        ("film/v1-aaaa/init.mp4", ("b2", "a1"), 508),
    ],
    ids=["not in its index", "unknown title", "no key", "a circle"],
)
async def test_what_cannot_be_had_is_refused_in_words(world, box, made, key, via, status):  # noqa: PLR0917
    origin = await world.source("origin", "cache", made)
    worker = await (await box(origin=origin)).worker()
    refused = await worker.want(key, via)
    assert (type(refused), refused.status) == (link.Refused, status)
    assert refused.reason
    assert not any(asked.endswith("99999.m4s") for asked in origin.asked)


async def test_with_the_origin_dead_what_is_held_is_served_and_the_rest_is_refused(world, box, made):
    origin = await world.source("origin", "cache", made)
    appliance = await box(origin=origin)
    worker = await appliance.worker()
    await worker.want(made.object("init.mp4"))
    await origin.stop()
    refused = await worker.want(made.object("00001.m4s"))
    assert refused.status == 503
    assert "cannot be reached" in refused.reason
    assert isinstance(await worker.want(made.object("init.mp4")), link.Stored)
    assert appliance.keeper.condition.state == "ready"


async def test_two_workers_wait_for_one_fetch_and_one_may_die(world, box, made):
    origin = await world.source("origin", "cache", made)
    origin.gate.clear()
    origin.ways[str(made.object("00002.m4s"))] = "gated"
    appliance = await box(origin=origin)
    first, second = await appliance.worker(0, 1), await appliance.worker(1, 2)
    key = made.object("00002.m4s")
    for worker in (first, second):
        worker.say(link.Want(str(key)))
        await worker.hear(link.Growing, key)
    await first.leave()
    origin.gate.set()
    await second.hear(link.Stored, key)
    assert origin.count(key) == 1


async def test_an_evicted_title_is_gone_for_every_worker_when_the_operator_hears_of_it(world, box, made):
    origin = await world.source("origin", "cache", made)
    appliance = await box(origin=origin)
    workers = [await appliance.worker(number, number) for number in range(2)]
    for name in made.names:
        await workers[0].want(made.object(name))
    told = await appliance.ask("POST", "/v1/evict", {"title": "film", "dry_run": True})
    assert told["evicted"] == [{"rendition": str(made.key), "bytes": made.held_bytes}]
    assert appliance.keeper.shelves.books.get(made.key) is not None
    await appliance.ask("POST", "/v1/evict", {"title": "film"})
    assert not list((world.path / "d1" / "segments").rglob("*.m4s"))
    for worker in workers:
        assert (await worker.hear(link.Gone)).prefix == made.key.prefix
    await appliance.ask("POST", "/v1/evict", {"title": "film"}, status=404)


async def test_a_purge_is_receipted_once_and_survives_a_restart(world, box, made):
    origin = await world.source("origin", "cache", made)
    appliance = await box(origin=origin)
    worker = await appliance.worker()
    for name in made.names:
        await worker.want(made.object(name))
    order = {"id": "o1", "at": 1.0, "title": "film", "rendition": made.key.rendition, "object": "00001.m4s"}
    receipt = await appliance.ask("POST", "/v1/purges", order)
    assert (receipt["state"], receipt["objects"], receipt["bytes"]) == ("done", 1, 200_000)
    assert (await worker.hear(link.Gone)).prefix == str(made.object("00001.m4s"))
    whole = await appliance.ask("POST", "/v1/purges", {"id": "o2", "at": 2.0, "title": "film"})
    assert (whole["objects"], whole["bytes"]) == (2, made.held_bytes - 200_000)
    await appliance.stop()
    again = await box(origin=origin)
    assert await again.ask("POST", "/v1/purges", order) == receipt


async def test_a_purge_that_a_disk_missed_is_carried_out_when_the_disk_is_back(world, box, made):
    origin = await world.source("origin", "cache", made)
    disks = tuple(DiskSettings(id=name, path=world.path / name) for name in ("d1", "d2"))
    appliance = await box(origin=origin, disks=disks)
    worker = await appliance.worker()
    await worker.want(made.object("init.mp4"))
    (holder,) = appliance.keeper.shelves.books.get(made.key).parts
    place = world.path / holder
    place.rename(world.path / "unplugged")
    await world.until(lambda: not appliance.keeper.shelves.disks[holder].usable)
    receipt = await appliance.ask("POST", "/v1/purges", {"id": "o1", "at": 1.0, "title": "film"})
    assert receipt["state"] == "failed"
    assert f"disk {holder} is missing" in receipt["error"]
    (world.path / "unplugged").rename(place)
    await world.until(lambda: appliance.keeper.shelves.disks[holder].usable, what="the disk's return")

    def receipted():
        row = appliance.keeper.shelves.ledger.order("o1")
        return row[1] and decode(row[1], Receipt).state == "done"

    await world.until(receipted)
    assert not list(place.rglob("init.mp4"))


async def test_a_disk_that_goes_is_told_to_workers_and_steering_and_the_box_serves_on(world, box, services, made):
    other = world.made("other")
    origin = await world.source("origin", "cache", made, other)
    disks = tuple(DiskSettings(id=name, path=world.path / name) for name in ("d1", "d2"))
    appliance = await box(origin=origin, services=services, disks=disks)
    worker = await appliance.worker()
    await worker.want(made.object("init.mp4"))
    (holder,) = appliance.keeper.shelves.books.get(made.key).parts
    shutil.rmtree(world.path / holder)
    left = await worker.hear(link.Disks)
    assert left.disks == tuple(str(disk.path) for disk in disks if disk.id != holder)

    def told():
        states = {disk.id: disk.state for disk in services.heartbeats[-1].disks}
        gone = [key for inventory in services.inventories for key in inventory.gone]
        return states[holder] == "missing" and tuple(made.key) in map(tuple, gone)

    await world.until(told)
    assert services.heartbeats[-1].state == "ready"
    stored = await worker.want(made.object("init.mp4"))
    assert isinstance(stored, link.Stored)
    assert holder not in stored.path


async def test_when_the_only_disk_goes_it_says_that_it_cannot_serve(world, box, services):
    appliance = await box(services=services)
    await appliance.worker()
    await world.until(lambda: services.heartbeats and services.heartbeats[-1].state == "ready")
    shutil.rmtree(world.path / "d1")
    await world.until(lambda: services.heartbeats[-1].state == "starting")
    assert (await appliance.ask("GET", "/readyz", status=503))["waiting_for"] == ["a usable disk"]


async def test_steering_hears_starting_ready_draining_and_ready_again(world, box, services):
    appliance = await box(services=services, workers=2)
    await world.until(lambda: services.heartbeats)
    assert services.heartbeats[0].state == "starting"
    for number in range(2):
        await appliance.worker(number, number)
    await world.until(lambda: services.heartbeats[-1].state == "ready")
    await appliance.ask("POST", "/v1/drain", {"drain": True})
    assert services.heartbeats[-1].state == "draining"
    await appliance.stop()
    again = await box(services=services)
    await again.worker()
    await world.until(lambda: services.heartbeats[-1].epoch == again.keeper.condition.epoch)
    assert services.heartbeats[-1].state in ("starting", "draining")
    await world.until(lambda: services.heartbeats[-1].state == "draining", what="the drain that outlived a restart")
    await again.ask("POST", "/v1/drain", {"drain": False})
    assert services.heartbeats[-1].state == "ready"
    orders = [(beat.epoch, beat.sequence) for beat in services.heartbeats]
    assert len(set(orders)) == len(orders)


async def test_inventories_start_full_then_tell_changes_and_are_full_again_when_asked(world, box, services, made):
    origin = await world.source("origin", "cache", made)
    appliance = await box(origin=origin, services=services)
    worker = await appliance.worker()
    await world.until(lambda: len(services.inventories) == 2)
    assert all(inventory.full and not inventory.held for inventory in services.inventories)
    await worker.want(made.object("00001.m4s"))
    await world.until(lambda: sum(bool(inventory.held) for inventory in services.inventories) == 2)
    change = services.inventories[-1]
    assert (change.full, change.held[0].bitmap, change.held[0].bytes_held) == (False, b"\x02", 200_000)
    services.full_wanted = 2
    await worker.want(made.object("init.mp4"))
    await world.until(lambda: sum(inventory.full for inventory in services.inventories) == 4)
    assert services.inventories[-1].held[0].bitmap == b"\x03"


async def test_demand_is_counted_by_rendition_even_for_an_index_not_in_memory(world, box, services, made):
    origin = await world.source("origin", "cache", made)
    appliance = await box(origin=origin, services=services)
    worker = await appliance.worker()
    await worker.want(made.object("00002.m4s"))
    appliance.keeper.indexes.forget(made.key)
    row = link.ServedRow("film", made.key.rendition, 5, 900_000, {"init.mp4": 2, "00002.m4s": 3})
    counters = {"oca_front_requests_total": 5.0, "oca_front_responses_total:200": 5.0}
    worker.say(link.Served(7, counters, (row,)))
    await world.until(lambda: services.demands)
    (told,) = services.demands[-1].rows
    assert (told.requests, told.bytes, told.sessions, told.farthest_segment) == (5, 900_000, 2, 2)
    assert told.hour % 3600 == 0
    await world.until(lambda: services.heartbeats[-1].connections == 7)
    assert services.heartbeats[-1].egress_bps > 0
    assert appliance.keeper.shelves.books.get(made.key).requests == 5
    exposition = await appliance.ask("GET", "/metrics")
    assert 'oca_front_responses_total{status="200"} 5.0' in exposition


async def test_totals_of_a_worker_that_died_stay_and_one_that_reconnects_counts_once(world, box):
    appliance = await box()
    for pid, totals in ((1, (10, 15)), (2, (3,)), (1, (20,))):
        worker = await appliance.worker(0, pid)
        for total in totals:
            worker.say(link.Served(0, {"oca_front_requests_total": float(total)}))
        wanted = {(1, 15): 15, (2, 3): 18, (1, 20): 23}[pid, totals[-1]]
        await world.until(lambda wanted=wanted: appliance.keeper.meter.value("oca_front_requests_total") == wanted)
        await worker.leave()


async def test_a_plan_is_fetched_carried_out_and_reported(world, box, services, made):
    origin = await world.source("origin", "cache", made)
    appliance = await box(origin=origin, services=services)
    services.plan = world.plan(made.hold(origin.source(), pinned=True))
    await world.until(lambda: services.reports and services.reports[-1].state == "done", what="the fill")
    assert services.reports[-1].bytes_done == made.held_bytes
    assert (await appliance.ask("GET", "/v1/plan"))["id"] == "p1"
    why = await appliance.ask("GET", "/v1/why/film")
    (rendition,) = why["renditions"]
    assert (rendition["planned"], rendition["pinned"], rendition["reason"]) == (True, True, "popular")
    status = await appliance.ask("GET", "/v1/status")
    assert (status["plan"], status["fill"]["state"], status["objects"]) == ("p1", "done", 3)
    await world.until(lambda: 304 in services.polls)


async def test_everything_upstream_dead_it_goes_on_with_its_last_plan(world, box, services, made):
    origin = await world.source("origin", "cache", made)
    services.plan = world.plan(made.hold(origin.source()), start=time.time() + 3600, end=4e9)
    appliance = await box(origin=origin, services=services)
    await world.until(lambda: appliance.keeper.plans.current)
    await appliance.stop()
    await services.stop()
    await origin.stop()
    again = await box(origin=origin, services=services)
    worker = await again.worker()
    assert again.keeper.plans.current.id == "p1"
    await world.until(lambda: len(again.keeper.beacon.failing) == 4)
    assert (await worker.want(made.object("init.mp4"))).status == 503
    assert (await again.ask("GET", "/v1/status"))["state"] == "ready"


async def test_a_peer_that_asks_its_master_joins_what_the_master_is_fetching(world, box, services, made):
    origin = await world.source("origin", "cache", made)
    origin.gate.clear()
    key = made.object("00002.m4s")
    origin.ways[str(key)] = "gated"
    services.plan = world.plan(made.hold(origin.source(), master=True))
    worker = await (await box(origin=origin, services=services)).worker()
    await world.until(lambda: origin.count(key))
    worker.say(link.Want(str(key), ("b2",)))
    await worker.hear(link.Growing, key)
    origin.gate.set()
    await worker.hear(link.Stored, key)
    assert origin.count(key) == 1


async def test_a_worker_that_does_not_read_is_cut_and_the_others_live(world, box):
    appliance = await box()
    stuck, fine = await appliance.worker(0, 1), await appliance.worker(1, 2)
    stuck.reading.clear()
    for number in range(40):
        appliance.keeper.workers.gone("x" * 1_000_000 + f"{number}/")
        await asyncio.sleep(0)
        if len(appliance.keeper.workers) == 1:
            break
        await fine.hear(link.Gone)
    await world.until(lambda: len(appliance.keeper.workers) == 1)
    stuck.reading.set()
    await stuck.closed.wait()
    assert not fine.closed.is_set()


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x01\xc1", link.frame(link.Want("a/b/c"))])
async def test_nonsense_on_the_link_cuts_only_who_said_it(world, box, data):
    appliance = await box()
    fine = await appliance.worker(0, 1)
    reader, writer = await asyncio.open_unix_connection(str(appliance.keeper.settings.keeper_socket))
    writer.write(data)
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
    assert not fine.closed.is_set()
    assert world.meter is not appliance.keeper.meter
    assert appliance.keeper.meter.value("oca_workers_cut_total") == 1


async def test_two_keepers_of_one_appliance_are_refused(world, box):
    await box()
    second = Keeper(world.settings(), world.clock)
    with pytest.raises(StorageError, match="another process holds it"):
        await second.start()
    await second.stop()


async def test_a_keeper_that_drains_stays_until_its_last_worker_has_left(world, box, services):
    appliance = await box(services=services)
    worker = await appliance.worker()
    drained = asyncio.create_task(appliance.keeper.drain())
    await world.until(lambda: services.heartbeats and services.heartbeats[-1].state == "stopping")
    assert not drained.done()
    await worker.leave()
    await drained


async def test_a_title_that_was_not_to_be_had_is_tried_at_once_when_a_plan_names_it(world, box, services, made):
    origin = await world.source("origin")
    appliance = await box(origin=origin, services=services)
    worker = await appliance.worker()
    assert (await worker.want(made.object("init.mp4"))).status == 404
    origin.add(made)
    services.plan = world.plan(made.hold(origin.source()), start=time.time() + 3600, end=4e9)
    await world.until(lambda: appliance.keeper.plans.current)
    assert isinstance(await worker.want(made.object("init.mp4")), link.Stored)


async def test_what_was_on_a_lost_disk_is_filled_again_from_the_plan(world, box, services):
    films = [world.made(f"film-{number}") for number in range(6)]
    origin = await world.source("origin", "cache", *films)
    disks = tuple(DiskSettings(id=name, path=world.path / name) for name in ("d1", "d2"))
    appliance = await box(origin=origin, services=services, disks=disks)
    services.plan = world.plan(*(film.hold(origin.source()) for film in films))
    await world.until(lambda: services.reports and services.reports[-1].state == "done")
    lost = {entry.key for entry in appliance.keeper.shelves.books if "d1" in entry.parts}
    assert 0 < len(lost) < 6
    shutil.rmtree(world.path / "d1")
    await world.until(lambda: not appliance.keeper.shelves.disks["d1"].usable)

    def whole():
        books = appliance.keeper.shelves.books
        return len(books) == 6 and all(entry.objects_held == 3 for entry in books)

    await world.until(whole, what="everything on the disk that is left")
    assert origin.count(f"{films[0].key}/init.mp4") == 1 + (films[0].key in lost)


async def test_a_disk_made_smaller_lets_the_least_wanted_go(world, box):
    films = [world.made(f"film-{number}") for number in range(3)]
    origin = await world.source("origin", "cache", *films)
    appliance = await box(origin=origin)
    worker = await appliance.worker()
    for film in films:
        for name in film.names:
            await worker.want(film.object(name))
    disk = appliance.keeper.shelves.disks["d1"]
    disk._limit_bytes = films[0].held_bytes * 2 + 10
    await world.until(lambda: disk.used_bytes <= disk._limit_bytes)
    assert {entry.key for entry in appliance.keeper.shelves.books} == {films[1].key, films[2].key}


async def test_a_web_page_cannot_use_the_admin_api(world, box, made):
    appliance = await box()
    await world.put(appliance.keeper.shelves, made)
    page = {"Origin": "http://evil.example"}
    for method, path in (("POST", "/v1/evict"), ("POST", "/v1/drain"), ("GET", "/v1/status")):
        async with appliance.session.request(method, path, json={"title": "film"}, headers=page) as answer:
            assert answer.status == 403
    assert appliance.keeper.shelves.books.get(made.key).objects_held == 3
