from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from control.kit.errors import StorageError
from control.wire import Title
from origin.storage.directory import DirectoryStorage
from origin.storage.port import Packaged
from origin.storage.publishing import publish

NewPackaged = Callable[..., Packaged]
NewTitle = Callable[..., Title]

KILLED_AT_EVERY_STEP = """
import os, pickle, shutil, signal, sys
from pathlib import Path
from origin.storage.directory import DirectoryStorage
from origin.storage.publishing import publish

root, (old, new) = Path(sys.argv[1]), pickle.loads(bytes.fromhex(sys.argv[2]))
kept = root.with_name("kept")
if root.exists():
    shutil.copytree(root, kept)

def kill_at(number):
    seen = []
    def step(name):
        seen.append(name)
        if len(seen) == number:
            os.kill(os.getpid(), signal.SIGKILL)
    return step

def publish_killed_at(number):
    child = os.fork()
    if child == 0:
        publish(root, *new, replace=True, step=kill_at(number))
        os._exit(0)
    return os.waitpid(child, 0)[1] != 0

def seen():
    title = DirectoryStorage(root).title("t1")
    assert DirectoryStorage(root).page("", 10).titles == ((title,) if title else ())
    for rendition in title.renditions if title else ():
        assert len(os.listdir(root / "segments/t1" / rendition.id)) == rendition.objects + 1
    for directory in root.glob("segments/*/[!.]*"):
        assert (directory / "index.json").exists(), directory
    return title

states = []
for number in range(1, 100):
    shutil.rmtree(root, ignore_errors=True)
    if kept.exists():
        shutil.copytree(kept, root)
    if not publish_killed_at(number):
        break
    found = seen()
    assert found in (old[0], new[0]), found
    states.append("new" if found == new[0] else "old")
    publish(root, *new, replace=True)
    assert seen() == new[0]
    assert not list(root.glob("**/.new-*"))
assert states == sorted(states, reverse=True), states
print(states.count("old"), states.count("new"))
"""


def kill_at_every_step(root: Path, old: object, new: object) -> tuple[int, int]:
    """In how many of the kills, each from the same beginning, the old title was seen afterwards, and the new."""
    script = [sys.executable, "-c", KILLED_AT_EVERY_STEP, str(root), pickle.dumps((old, new)).hex()]
    done = subprocess.run(script, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    before, after = map(int, done.stdout.split())
    return before, after


def test_killed_at_any_step_a_new_title_is_invisible_or_whole(
    tmp_path: Path, new_packaged: NewPackaged, new_title: NewTitle
) -> None:
    both = [new_packaged(tmp_path, sizes=(2000, 3000)), new_packaged(tmp_path, name="a1k")]
    files = 5 + 4
    assert kill_at_every_step(tmp_path / "store", (None, ()), (new_title(*both), both)) == (files + 2 + 2, 1)


def test_killed_at_any_step_a_replaced_title_is_the_old_or_the_new_one(
    tmp_path: Path, new_packaged: NewPackaged, new_title: NewTitle
) -> None:
    kept, old, new = (new_packaged(tmp_path, name="a1k"), new_packaged(tmp_path), new_packaged(tmp_path, seed=1))
    first = (new_title(kept, old), [kept, old])
    publish(tmp_path / "store", *first)
    files = 4
    assert kill_at_every_step(tmp_path / "store", first, (new_title(kept, new), [kept, new])) == (files + 1 + 2, 1)
    assert (tmp_path / "store/segments/t1" / old.rendition.id / "00001.m4s").exists(), "players may be in the middle"


def test_publishing_the_same_again_touches_no_file(
    tmp_path: Path, new_packaged: NewPackaged, new_title: NewTitle
) -> None:
    packaged = new_packaged(tmp_path)
    root = tmp_path / "store"
    assert publish(root, new_title(packaged, at=1), [packaged]).changed
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    again = publish(root, new_title(packaged, at=2), [packaged])
    assert (again.changed, again.bytes_written, again.title.published_at) == (False, 0, 1)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_another_title_of_the_same_id_needs_to_be_meant(
    tmp_path: Path, new_packaged: NewPackaged, new_title: NewTitle
) -> None:
    old, new = new_packaged(tmp_path), new_packaged(tmp_path, seed=1)
    storage = DirectoryStorage(tmp_path / "store")
    storage.publish(new_title(old), [old])
    with pytest.raises(StorageError, match=r"another title 't1', 'A title'; .* --replace"):
        storage.publish(new_title(new, name="Other"), [new])
    assert storage.title("t1") == new_title(old)
    assert storage.publish(new_title(new, name="Other"), [new], replace=True).changed
    assert storage.page("", 9).titles == (new_title(new, name="Other"),)


@pytest.mark.parametrize("damage", ["shortened", "missing", "no directory"])
def test_a_damaged_rendition_is_put_right_by_publishing_again(
    tmp_path: Path, new_packaged: NewPackaged, new_title: NewTitle, damage: str
) -> None:
    packaged = new_packaged(tmp_path)
    root = tmp_path / "store"
    publish(root, new_title(packaged), [packaged])
    stored = root / "segments/t1" / packaged.rendition.id
    segment = stored / "00001.m4s"
    if damage == "shortened":
        os.truncate(segment, 10)
    elif damage == "missing":
        segment.unlink()
    else:
        stored.rename(tmp_path / "gone")
    assert publish(root, new_title(packaged), [packaged]).changed
    assert segment.read_bytes() == (packaged.directory / "00001.m4s").read_bytes()
    assert not list(root.glob("**/.new-*"))


def test_bytes_that_are_not_what_the_index_says_are_never_published(
    tmp_path: Path, new_packaged: NewPackaged, new_title: NewTitle
) -> None:
    packaged = new_packaged(tmp_path)
    segment = packaged.directory / "00001.m4s"
    segment.write_bytes(bytes(segment.stat().st_size))
    with pytest.raises(StorageError, match=r"00001.m4s: 5000 bytes are not the 5000 bytes its index lists"):
        publish(tmp_path / "store", new_title(packaged), [packaged])
    storage = DirectoryStorage(tmp_path / "store")
    assert storage.title("t1") is None
    assert storage.open("t1", packaged.rendition.id, "init.mp4") is None


def test_a_store_that_cannot_be_written_is_named(
    tmp_path: Path, new_packaged: NewPackaged, new_title: NewTitle
) -> None:
    packaged = new_packaged(tmp_path)
    (tmp_path / "store").write_text("a file, not a directory")
    with pytest.raises(StorageError, match=r"store.*: t1 cannot be published: Not a directory"):
        publish(tmp_path / "store", new_title(packaged), [packaged])


def test_a_dry_run_tells_what_would_be_written_and_writes_nothing(
    tmp_path: Path, new_packaged: NewPackaged, new_title: NewTitle
) -> None:
    packaged = new_packaged(tmp_path)
    title = new_title(packaged)
    assert publish(tmp_path / "store", title, [packaged], dry_run=True).bytes_written == title.bytes
    assert not (tmp_path / "store").exists()
