"""Key ↔ path."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oca.store.layout import ObjectKey, key_of, object_path, parse_key

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
DISK = Path("/disks/d1")


@settings(max_examples=50, deadline=None)
@given(names, names, names)
def test_a_key_and_its_path_name_each_other(title, rendition, name):
    key = ObjectKey(title, rendition, name)
    assert parse_key(str(key)) == key
    assert key_of(DISK, object_path(DISK, key)) == key


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet="./ab\\\n\0~", max_size=30))
def test_no_text_makes_a_path_outside_the_disk(text):
    try:
        key = parse_key(text)
    except ValueError:
        return
    path = object_path(DISK, key)
    assert path.parts[:4] == ("/", "disks", "d1", "segments")
    assert ".." not in path.parts


@pytest.mark.parametrize("text", ["", "a/b", "a/b/c/d", "../b/c", "a/../c", "a//c", "a/b/c\n", "a/b/.c", "/a/b/c"])
def test_what_is_not_a_key_is_refused(text):
    with pytest.raises(ValueError, match="is not title/rendition/object"):
        parse_key(text)


@pytest.mark.parametrize("path", ["/elsewhere/segments/a/b/c", "/disks/d1/incoming/00000001", "/disks/d1/segments/a"])
def test_a_path_that_is_no_object_has_no_key(path):
    with pytest.raises(ValueError, match="is no object of the disk"):
        key_of(DISK, Path(path))
