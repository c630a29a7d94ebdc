from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from origin.ingest.media_cache import ENTRIES_LIMIT, MediaCache, key_of
from origin.storage.port import Packaged

New = Callable[..., Packaged]


def builder(new: New, made: list[int], seed: int = 0) -> Callable[[Path], tuple[Packaged, ...]]:
    def build(place: Path) -> tuple[Packaged, ...]:
        made.append(seed)
        return (new(place, seed=seed), new(place, name="a1k", seed=seed))

    return build


def test_what_was_made_is_found_again_byte_for_byte(tmp_path: Path, new_packaged: New) -> None:
    cache = MediaCache(tmp_path / "cache")
    assert cache.find("k") is None
    made = cache.make("k", builder(new_packaged, []))
    assert cache.find("k") == made
    assert all((each.directory / "init.mp4").stat().st_size == 100 for each in made)


@pytest.mark.parametrize("name", ["00001.m4s", "index.json", "media.m3u8"])
def test_a_damaged_entry_is_not_used_and_is_made_again(tmp_path: Path, new_packaged: New, name: str) -> None:
    cache = MediaCache(tmp_path)
    made = cache.make("k", builder(new_packaged, []))
    (made[1].directory / name).write_bytes(b"damaged")
    assert cache.find("k") is None
    assert cache.make("k", builder(new_packaged, [])) == made
    assert cache.find("k") == made


def test_a_build_that_fails_leaves_nothing(tmp_path: Path, new_packaged: New) -> None:
    cache = MediaCache(tmp_path)

    def build(place: Path) -> tuple[Packaged, ...]:
        new_packaged(place)
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError):
        cache.make("k", build)
    assert [path.name for path in tmp_path.iterdir()] == [".lock-k"]


def test_two_who_want_the_same_make_it_once(tmp_path: Path, new_packaged: New) -> None:
    made: list[int] = []
    both = [
        threading.Thread(target=MediaCache(tmp_path).make, args=("k", builder(new_packaged, made))) for _ in range(2)
    ]
    for each in both:
        each.start()
    for each in both:
        each.join(timeout=30)
    assert made == [0]


def test_only_so_many_entries_are_kept(tmp_path: Path, new_packaged: New) -> None:
    cache = MediaCache(tmp_path)
    for seed in range(ENTRIES_LIMIT + 3):
        cache.make(f"k{seed}", builder(new_packaged, [], seed))
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == ENTRIES_LIMIT
    assert cache.find(f"k{ENTRIES_LIMIT + 2}") is not None


def test_keys_depend_on_every_parameter_and_not_on_their_order() -> None:
    assert key_of({"a": 1, "b": [1, 2]}) == key_of({"b": [1, 2], "a": 1})
    assert len({key_of({"a": 1}), key_of({"a": 2}), key_of({"b": 1}), key_of({"a": 1, "b": 1})}) == 4
