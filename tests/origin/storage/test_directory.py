from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.kit.errors import StorageError
from control.wire import Title
from origin.storage.directory import DirectoryStorage

Fill = Callable[..., list[Title]]


@pytest.fixture
def storage(tmp_path: Path) -> DirectoryStorage:
    return DirectoryStorage(tmp_path / "store")


def test_pages_go_through_all_titles_by_id(storage: DirectoryStorage, fill_store: Fill) -> None:
    titles = fill_store("d", "a", "c.json", "b", "e")
    found, after = [], ""
    while True:
        page = storage.page(after, 2)
        found += [title.id for title in page.titles]
        if page.next_after is None:
            break
        after = page.next_after
    assert found == sorted(title.id for title in titles)


def test_a_last_page_that_is_full_says_that_it_is_the_last(storage: DirectoryStorage, fill_store: Fill) -> None:
    fill_store("a", "b")
    assert storage.page("", 2).next_after is None


def test_a_title_published_meanwhile_is_seen(storage: DirectoryStorage, fill_store: Fill) -> None:
    fill_store("a")
    assert [title.id for title in storage.page("", 9).titles] == ["a"]
    fill_store("b")
    assert [title.id for title in storage.page("", 9).titles] == ["a", "b"]


def test_a_damaged_title_does_not_hide_the_others(storage: DirectoryStorage, fill_store: Fill) -> None:
    fill_store("a", "b", "c")
    (storage.root / "titles/b.json").write_text("{}")
    assert [title.id for title in storage.page("", 9).titles] == ["a", "c"]
    assert "publish it again" in storage.broken["b"]
    with pytest.raises(StorageError, match="not a title"):
        storage.title("b")
    shutil.copy(storage.root / "titles/a.json", storage.root / "titles/b.json")
    with pytest.raises(StorageError, match="holds the title 'a'"):
        storage.title("b")


def test_a_store_without_titles_is_an_empty_page(storage: DirectoryStorage) -> None:
    storage.root.mkdir()
    assert storage.page("", 9).titles == ()
    assert storage.title("a") is None


def test_a_store_that_is_not_there_is_an_error_everywhere(storage: DirectoryStorage) -> None:
    for act in (
        storage.check,
        lambda: storage.page("", 9),
        lambda: storage.title("a"),
        lambda: storage.open("a", "b", "c"),
    ):
        with pytest.raises(StorageError, match=r"no such directory; create it, or publish into it"):
            act()


def test_an_object_is_opened_with_its_size(storage: DirectoryStorage, fill_store: Fill) -> None:
    (title,) = fill_store("a")
    found = storage.open("a", title.renditions[0].id, "00001.m4s")
    assert found is not None
    try:
        assert found.bytes == len(os.pread(found.descriptor, 10_000, 0)) == 5000
    finally:
        os.close(found.descriptor)


def test_neither_a_link_nor_a_directory_is_an_object(storage: DirectoryStorage, fill_store: Fill) -> None:
    (title,) = fill_store("a")
    place = storage.root / "segments/a" / title.renditions[0].id
    (place / "link").symlink_to("/etc/passwd")
    (place / "directory").mkdir()
    for name in ("link", "directory"):
        assert storage.open("a", title.renditions[0].id, name) is None


@given(
    st.text(max_size=20),
    st.text(max_size=20),
    st.sampled_from(["..", ".", "", "../../x", "a/b", ".new-x", "\0", "x" * 300]),
)
def test_no_name_leads_out_of_the_store(title: str, rendition: str, name: str) -> None:
    storage = DirectoryStorage(Path("/"))
    for key in ((title, rendition, name), (name, title, rendition), (rendition, name, title)):
        assert storage.open(*key) is None
