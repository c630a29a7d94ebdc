"""A disk: whose it is, whether it can be used, and what its failures make of it."""

import asyncio
import errno
import json
import os
import shutil
import time

import pytest

from control.kit.errors import StorageError
from oca.store.faults import DiskError
from oca.store.identity import read_identity
from oca.store.layout import INCOMING

NOW = 1_700_000_000.0


@pytest.fixture
async def disk(world):
    found = world.disk()
    await found.open(known_uuid=None, now=NOW)
    found.begin()
    yield found
    await found.close()


async def refused(disk, *, known_uuid=None):
    with pytest.raises(StorageError) as caught:
        await disk.open(known_uuid=known_uuid, now=NOW)
    await disk.close()
    return str(caught.value)


async def test_a_new_directory_becomes_a_disk_with_an_identity(disk):
    identity = read_identity(disk.path)
    assert (identity.appliance, identity.disk, identity.uuid) == ("a1", "d1", disk.uuid)
    assert disk.state == "ok"
    assert disk.capacity_bytes > 0


async def test_a_disk_keeps_its_identity(world, disk):
    uuid = disk.uuid
    await disk.close()
    again = world.disk()
    await again.open(known_uuid=uuid, now=NOW + 1)
    again.begin()
    assert again.uuid == uuid
    await again.close()


async def test_two_keepers_on_one_disk_are_refused(world, disk):
    assert "another keeper is using it" in await refused(world.disk())
    assert disk.state == "ok"


async def test_the_disk_of_another_appliance_is_refused(world, disk):
    await disk.close()
    words = await refused(world.disk(appliance="a2"))
    assert "belongs to appliance 'a1', and this is 'a2'" in words


async def test_exchanged_disks_are_refused(world, disk):
    await disk.close()
    words = await refused(world.disk("d2", path=disk.path))
    assert "is disk 'd1', and the configuration calls it 'd2'" in words


async def test_a_disk_that_is_not_mounted_is_not_made_anew_on_the_mount_point(world):
    (world.path / "d1").mkdir()
    words = await refused(world.disk(), known_uuid="0" * 32)
    assert "is its file system mounted?" in words
    assert list((world.path / "d1").iterdir()) == []


async def test_a_disk_that_was_replaced_under_its_name_is_refused(world, disk):
    await disk.close()
    assert "is another disk than the one last used" in await refused(world.disk(), known_uuid="0" * 32)


async def test_a_memory_disk_may_come_back_empty(world):
    disk = world.disk(tier="memory")
    await disk.open(known_uuid="0" * 32, now=NOW)
    disk.begin()
    assert disk.state == "ok"
    await disk.close()


async def test_a_directory_with_something_else_in_it_is_refused(world):
    (world.path / "d1").mkdir()
    (world.path / "d1" / "thesis.doc").write_text("important")
    assert "holds 'thesis.doc', which is not ours" in await refused(world.disk())


async def test_an_identity_that_is_not_one_is_refused_in_words(world, disk):
    await disk.close()
    (disk.path / "oca-disk.json").write_text("{}")
    assert "not a disk's identity" in await refused(world.disk())


async def test_what_was_coming_in_when_it_stopped_is_gone_after_the_next_start(world, disk):
    await disk.create(100)
    grave = disk.graveyard()
    (grave / "deep").mkdir(parents=True)
    await disk.close()
    again = world.disk()
    await again.open(known_uuid=None, now=NOW)
    again.begin()
    assert list((again.path / INCOMING).iterdir()) == []
    await again.close()


async def test_a_disk_that_was_removed_is_missing_and_says_so(disk):
    shutil.rmtree(disk.path)
    await disk.check()
    assert (disk.state, disk.usable) == ("missing", False)
    assert disk.report().error


async def test_another_directory_in_its_place_is_not_the_disk(disk):
    disk.path.rename(disk.path.with_name("elsewhere"))
    disk.path.mkdir()
    await disk.check()
    assert disk.state == "missing"


async def test_a_name_that_is_not_there_says_nothing_of_the_disk(disk):
    with pytest.raises(DiskError):
        await disk.run(lambda: os.stat(disk.path / "nothing"))
    assert disk.state == "ok"


@pytest.mark.parametrize(
    ("number", "state"), [(errno.EIO, "failed"), (errno.EROFS, "readonly"), (errno.ENOSPC, "full")]
)
async def test_an_error_of_the_kernel_changes_the_state(disk, number, state):
    def fails():
        raise OSError(number, os.strerror(number))

    with pytest.raises(DiskError) as caught:
        await disk.run(fails)
    assert (disk.state, caught.value.state) == (state, state)


async def test_a_disk_that_hangs_has_failed_and_holds_up_nobody(world):
    disk = world.disk(slow_after_s=0.05)
    await disk.open(known_uuid=None, now=NOW)
    disk.begin()
    with pytest.raises(DiskError, match="did not answer"):
        await disk.run(lambda: time.sleep(0.5))
    assert disk.state == "failed"
    began = time.monotonic()
    await disk.close()
    assert time.monotonic() - began < 0.4


async def test_a_full_file_system_is_noticed_before_a_byte_is_written(world, small_disk):
    disk = world.disk(path=small_disk, capacity=1 << 30)
    await disk.open(known_uuid=None, now=NOW)
    disk.begin()
    assert disk.capacity_bytes < 9 << 20, "a disk is not larger than its file system"
    with pytest.raises(DiskError):
        await disk.create(9 << 20)
    assert (disk.state, disk.room_bytes) == ("full", 0)
    assert list((small_disk / INCOMING).iterdir()) == []
    await disk.check()
    assert disk.state == "ok", "there is room again"
    await disk.close()


async def test_a_file_system_that_became_read_only_still_serves(world, small_disk, read_only):
    disk = world.disk(path=small_disk)
    await disk.open(known_uuid=None, now=NOW)
    disk.begin()
    read_only()
    with pytest.raises(DiskError):
        await disk.create(10)
    assert (disk.state, disk.usable, disk.room_bytes) == ("readonly", True, 0)
    await disk.check()
    assert disk.state == "readonly"
    await disk.close()


async def test_many_objects_become_durable_together(disk):
    files = await asyncio.gather(*(disk.create(10) for _ in range(100)))
    await asyncio.gather(
        *(disk.commit(file, disk.path / "segments" / "t" / f"v{n % 3}" / f"{n}") for n, file in enumerate(files))
    )
    assert len(list((disk.path / "segments").rglob("v*/*"))) == 100


async def test_who_was_told_the_first_name_of_an_object_can_open_it_for_a_while_after_it_was_kept(disk):
    file = await disk.create(10)
    await disk.commit(file, disk.path / "segments" / "t" / "v" / "o")
    await disk.check()
    assert file.path.exists()
    await disk.check()
    assert not file.path.exists()
    again = await disk.create(10)
    await disk.commit(again, disk.path / "segments" / "t" / "v" / "o")
    await disk.sweep(everything=True)
    assert list((disk.path / INCOMING).iterdir()) == []


async def test_committing_never_makes_the_disk_directory_anew(disk):
    file = await disk.create(10)
    shutil.rmtree(disk.path)
    with pytest.raises(DiskError):
        await disk.commit(file, disk.path / "segments" / "t" / "v" / "o")
    assert not disk.path.exists()


async def test_the_identity_file_is_for_people_too(disk):
    told = json.loads((disk.path / "oca-disk.json").read_text())
    assert told["appliance"] == "a1"
    assert told["made_at"] == NOW
