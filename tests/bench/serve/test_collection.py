import os
from pathlib import Path

import msgspec
import pytest
import xxhash

from bench.serve import place
from bench.serve.cells import KIB
from bench.serve.collection import Collection, Eviction, cold_set, hot_set
from control.kit.errors import StorageError
from control.wire import RenditionIndex


def test_objects_lie_as_on_an_appliance_with_an_index_that_is_true(tmp_path):
    collection = Collection(tmp_path)
    collection.make({hot_set(64 * KIB, 3)})
    directory = collection.segments / "bench" / "hot-64k"
    index = msgspec.json.decode((directory / "index.json").read_bytes(), type=RenditionIndex)
    assert {stored.name for stored in index.objects} == {path.name for path in directory.glob("*.m4s")}
    for stored in index.objects:
        data = (directory / stored.name).read_bytes()
        assert (len(data), xxhash.xxh3_128_hexdigest(data)) == (stored.bytes, stored.xxh3)


def test_all_objects_differ(tmp_path):
    collection = Collection(tmp_path)
    hot = hot_set(64 * KIB, 3)
    collection.make({hot})
    assert len({collection.file(path).read_bytes() for path in hot.paths()}) == 3


def test_what_is_there_is_not_made_again(tmp_path):
    collection = Collection(tmp_path)
    collection.make({hot_set(64 * KIB, 1)})
    collection.make({hot_set(64 * KIB, 1), cold_set(64 * KIB, 1)})
    assert len(list(collection.segments.glob("bench/*"))) == 2


def test_more_than_the_disk_holds_is_refused_in_words(tmp_path):
    with pytest.raises(StorageError, match="MiB are free"):
        Collection(tmp_path).make({hot_set(1 << 50, 1)})


def test_an_evicted_object_is_no_longer_in_memory(tmp_path):
    with place.made() as directory:
        if place.file_system(Path("/proc/self/mounts").read_text(), directory) in place.IN_MEMORY:
            pytest.skip("no disk here")
        collection = Collection(directory)
        cold = cold_set(256 * KIB, 8)
        collection.make({cold})
        eviction = Eviction()
        assert eviction.still_warm() is None
        for path in cold.paths():
            collection.file(path).read_bytes()
            eviction.evict(collection.file(path))
        if eviction.still_warm() is None:
            pytest.skip("no cachestat in this kernel")
        assert eviction.still_warm() == 0.0
    assert not directory.exists()


def test_a_place_of_a_bench_that_died_is_removed_and_one_of_a_living_is_not():
    with place.made() as mine:
        dead = mine.parent / f"{place.PREFIX}999999999"
        living = mine.parent / f"{place.PREFIX}{os.getppid()}"
        dead.mkdir()
        living.mkdir(exist_ok=True)
    try:
        with place.made():
            assert not dead.exists()
            assert living.exists()
    finally:
        living.rmdir()


def test_the_place_is_on_a_disk_where_there_is_one():
    mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/b /tmp/disk xfs rw 0 0\n"
    assert place.file_system(mounts, Path("/tmp/x")) == "tmpfs"
    assert place.file_system(mounts, Path("/tmp/disk/x")) == "xfs"
    assert place.file_system(mounts, Path("/tmpx")) == "ext4"
    assert place.parent_directory(mounts, [Path("/tmp"), Path("/var/tmp")]) == Path("/var/tmp")
    assert place.parent_directory(mounts, [Path("/tmp")]) == Path("/tmp")
