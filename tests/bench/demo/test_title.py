"""The demo's title: room for it, and what is said when it cannot be made."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.demo.child import ChildError
from bench.demo.title import make_title, published, require_space
from control.kit.errors import Exit, StorageError
from control.wire import Title, encode


def test_too_little_room_is_said_with_what_is_needed(tmp_path: Path) -> None:
    require_space(tmp_path, needed_bytes=1)
    with pytest.raises(
        StorageError, match=r"free; the demo needs 1e\+09 PB: make room, or choose another place"
    ) as caught:
        require_space(tmp_path, needed_bytes=10**24)
    assert caught.value.exit_status is Exit.STORAGE


async def test_an_ingest_that_fails_is_told_in_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a directory should be")
    with pytest.raises(ChildError, match=r"making the title failed \(status 5\): .*cache.*\(log: .*/log\)"):
        await make_title(store=tmp_path / "store", cache=tmp_path / "cache", log=tmp_path / "log", seconds=12)


def test_the_title_published_last_is_the_one(tmp_path: Path) -> None:
    (tmp_path / "titles").mkdir()
    title = Title(id="film", name="A film", duration_ms=1000, published_at=5.0, renditions=())
    (tmp_path / "titles" / "film.json").write_bytes(encode(title))
    assert published(tmp_path) == title


def test_a_store_without_a_title_or_with_a_damaged_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(ChildError, match="ingest published no title"):
        published(tmp_path)
    (tmp_path / "titles").mkdir()
    (tmp_path / "titles" / "film.json").write_text("{")
    with pytest.raises(ChildError, match=r"film\.json: Title: "):
        published(tmp_path)
