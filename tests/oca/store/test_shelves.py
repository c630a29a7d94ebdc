"""All disks as one place: putting, finding, removing, and starting again."""

import asyncio
import os
import shutil

import pytest

from control.kit.errors import StorageError
from oca.store.faults import DiskError, NoRoomError
from oca.store.layout import object_path, rendition_path


def on_disk(disk):
    """Key → bytes of every file below segments/."""
    root = disk.path / "segments"
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in root.rglob("*") if file.is_file()}


async def check(shelves):
    """The books say what is there, to the byte."""
    shelves.books.audit()
    for disk in shelves.usable:
        assert disk.used_bytes == sum(map(len, on_disk(disk).values()))
        assert disk.promised_bytes == 0
        await disk.sweep(everything=True)
        assert list((disk.path / "incoming").iterdir()) == []


async def reopened(world, shelves, *disks, ledger):
    await shelves.close()
    shelves.closed_by_test = True
    return await world.shelves(*disks, ledger=ledger)


async def test_what_was_put_is_found_whole_and_counted(world):
    shelves, made = await world.shelves(), world.made()
    await world.put(shelves, made)
    (disk,) = shelves.usable
    assert on_disk(disk) == made.files()
    assert shelves.books.get(made.key).objects_held == 3
    assert shelves.holds(made.object("00001.m4s"), 1) == object_path(disk.path, made.object("00001.m4s"))
    await check(shelves)


async def test_what_was_discarded_leaves_nothing(world):
    shelves, made = await world.shelves(), world.made()
    incoming = await shelves.begin(made.object("init.mp4"), 1000, made.index.shelved)
    await incoming.write(0, b"half")
    shelves.discard(incoming)
    shelves.discard(incoming)
    (disk,) = shelves.usable
    assert set(on_disk(disk)) == {f"{made.key}/index.json"}
    await check(shelves)


async def test_a_rendition_stays_together_and_spills_when_its_disk_is_full(world):
    made = world.made(sizes=(100, 40_000, 40_000, 40_000))
    disks = [world.disk(name, capacity=100_000) for name in ("d1", "d2")]
    shelves = await world.shelves(*disks)
    await world.put(shelves, made)
    entry = shelves.books.get(made.key)
    assert sorted(part.objects for part in entry.parts.values()) == [1, 3]
    assert (entry.objects_held, entry.bytes_held) == (4, made.bytes)
    await check(shelves)
    with pytest.raises(NoRoomError):
        await shelves.begin(made.object("init.mp4"), 70_000, made.index.shelved)


async def test_removing_a_rendition_tells_before_the_bytes_go_and_frees_them(world):
    shelves, made, other = await world.shelves(), world.made(), world.made("other")
    await world.put(shelves, made)
    await world.put(shelves, other)
    (disk,) = shelves.usable
    seen = []

    def told():
        seen.append(rendition_path(disk.path, made.key).exists())
        seen.append(sum(1 for file in (disk.path / "incoming").rglob("*/*")))

    assert await shelves.remove(made.key, told) == made.held_bytes
    assert seen == [False, 4], "out of sight, and not yet unlinked, when the workers are told"
    assert on_disk(disk) == other.files()
    assert shelves.books.get(made.key) is None
    await check(shelves)


async def test_a_reader_that_has_it_open_keeps_it(world):
    shelves, made = await world.shelves(), world.made()
    await world.put(shelves, made)
    with shelves.holds(made.object("00001.m4s"), 1).open("rb") as stream:
        await shelves.remove(made.key, lambda: None)
        assert stream.read() == made.bodies["00001.m4s"]


async def test_an_object_that_lands_while_its_rendition_is_removed_does_not_come_back_alone(world):
    shelves, made = await world.shelves(), world.made()
    await world.put(shelves, made, "init.mp4")
    incoming = await shelves.begin(made.object("00001.m4s"), 200_000, made.index.shelved)
    await incoming.write(0, made.bodies["00001.m4s"])
    await shelves.remove(made.key, lambda: None)
    with pytest.raises(DiskError, match="was removed while"):
        await shelves.finish(incoming, 1, made.index.at(1))
    assert on_disk(shelves.disks["d1"]) == {}
    assert shelves.disks["d1"].state == "ok"
    await check(shelves)


async def test_a_start_with_warm_books_lists_nothing(world, capsys):
    shelves = await world.shelves(ledger="books.db")
    made, other = world.made(), world.made("other")
    for each in (made, other):
        await world.put(shelves, each)
        os.utime(rendition_path(shelves.disks["d1"].path, each.key), (1e9, 1e9))
    again = await reopened(world, shelves, ledger="books.db")
    known = {entry.key: entry.parts["d1"].mtime_ns for entry in again.books}
    assert known == {made.key: 10**18, other.key: 10**18}
    await check(again)


async def test_a_file_removed_behind_our_back_is_noticed_at_the_next_start(world):
    shelves, made = await world.shelves(ledger="books.db"), world.made()
    await world.put(shelves, made)
    os.utime(rendition_path(shelves.disks["d1"].path, made.key), (1e9, 1e9))
    path = shelves.holds(made.object("00001.m4s"), 1)
    await shelves.close()
    shelves.closed_by_test = True
    path.unlink()
    again = await world.shelves(ledger="books.db")
    assert list(again.books.get(made.key).parts["d1"].positions()) == [0, 2]
    await check(again)


async def test_books_that_were_lost_are_rebuilt_from_the_disks(world):
    disks = [world.disk(name) for name in ("d1", "d2")]
    shelves = await world.shelves(*disks, ledger="books.db")
    made = [world.made(f"film-{number}") for number in range(6)]
    for each in made:
        await world.put(shelves, each)
    before = {entry.key: (entry.bitmap, entry.bytes_held, sorted(entry.parts)) for entry in shelves.books}
    fresh = [world.disk(name) for name in ("d1", "d2")]
    again = await reopened(world, shelves, *fresh, ledger="other.db")
    assert {entry.key: (entry.bitmap, entry.bytes_held, sorted(entry.parts)) for entry in again.books} == before
    await check(again)


@pytest.mark.parametrize("damage", [b"not a database at all, whatever the name says" * 100, None])
async def test_damaged_books_are_put_aside_and_rebuilt(world, damage):
    shelves, made = await world.shelves(ledger="books.db"), world.made()
    await world.put(shelves, made)
    await shelves.close()
    shelves.closed_by_test = True
    file = world.path / "books.db"
    body = bytearray(file.read_bytes())
    body[4096:] = b"\xff" * (len(body) - 4096)
    file.write_bytes(damage or bytes(body))
    again = await world.shelves(ledger="books.db")
    assert again.books.get(made.key).objects_held == 3
    assert (world.path / "books.damaged").exists()
    await check(again)


async def test_what_the_index_does_not_name_is_removed_at_start(world):
    shelves, made = await world.shelves(ledger="books.db"), world.made()
    await world.put(shelves, made)
    place = rendition_path(shelves.disks["d1"].path, made.key)
    await shelves.close()
    shelves.closed_by_test = True
    (place / "stranger").write_bytes(b"x")
    (place / "00001.m4s").write_bytes(b"too short")
    (place.parent / "no-index").mkdir()
    (place.parent / "no-index" / "init.mp4").write_bytes(b"x")
    (place.parent.parent / "a file").write_bytes(b"x")
    again = await world.shelves(ledger="books.db")
    files = made.files()
    del files[f"{made.key}/00001.m4s"]
    assert on_disk(again.disks["d1"]) == files
    await check(again)


async def test_one_disk_of_two_may_be_missing_at_start(world):
    disks = [world.disk(name) for name in ("d1", "d2")]
    shelves = await world.shelves(*disks, ledger="books.db")
    made = [world.made(f"film-{number}") for number in range(6)]
    for each in made:
        await world.put(shelves, each)
    lost = {entry.key for entry in shelves.books if "d2" in entry.parts}
    await shelves.close()
    shelves.closed_by_test = True
    shutil.rmtree(world.path / "d2")
    again = await world.shelves(*(world.disk(name) for name in ("d1", "d2")), ledger="books.db")
    assert [disk.id for disk in again.usable] == ["d1"]
    assert "is its file system mounted?" in again.disks["d2"].error
    assert {each.key for each in made} - {entry.key for entry in again.books} == lost
    assert lost
    await check(again)


async def test_without_a_usable_disk_it_does_not_start_and_says_why(world):
    (world.path / "d1").write_text("a file")
    with pytest.raises(StorageError, match="disk d1"):
        await world.shelves()


async def test_two_keepers_on_the_same_books_are_refused(world):
    await world.shelves(ledger="books.db")
    with pytest.raises(StorageError, match="another process holds it"):
        await world.shelves(world.disk("d9"), ledger="books.db")


async def test_a_disk_that_fills_up_under_us_leaves_the_object_to_another(world, small_disk):
    made = world.made(sizes=(100, 3 << 20, 3 << 20, 3 << 20))
    disks = [world.disk("d1", path=small_disk), world.disk("d2")]
    shelves = await world.shelves(*disks)
    (small_disk / "ballast").write_bytes(b"x" * (4 << 20))
    placed = {}
    for name in made.names:
        for _ in range(3):
            try:
                await world.put(shelves, made, name)
            except DiskError:
                continue
            break
        else:
            pytest.fail(f"{name} found no disk")
    for disk in shelves.usable:
        placed |= on_disk(disk)
    assert placed == made.files()


async def test_cancelling_who_waits_for_a_landing_leaves_the_books_right(world):
    shelves, made = await world.shelves(), world.made()
    for steps in range(12):
        name = "00001.m4s"
        incoming = await shelves.begin(made.object(name), 200_000, made.index.shelved)
        await incoming.write(0, made.bodies[name])
        task = asyncio.create_task(shelves.finish(incoming, 1, made.index.at(1)))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await shelves.landed()
        if incoming.open:
            shelves.discard(incoming)
        await check(shelves)
