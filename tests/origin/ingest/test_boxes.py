from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.ingest.boxes import Box, BoxError, boxes, whole

kinds = st.text("abcdefghij", min_size=4, max_size=4)


def box(kind: str, body: bytes = b"", *, large: bool = False) -> bytes:
    if large:
        return struct.pack(">I4sQ", 1, kind.encode(), 16 + len(body)) + body
    return struct.pack(">I4s", 8 + len(body), kind.encode()) + body


@given(st.lists(st.tuples(kinds, st.binary(max_size=40), st.booleans()), max_size=8))
def test_boxes_written_one_after_another_are_found_again(written: list[tuple[str, bytes, bool]]) -> None:
    data = b"".join(box(kind, body, large=large) for kind, body, large in written)
    assert [(found.kind, found.body) for found in boxes(data)] == [(kind, body) for kind, body, _ in written]


@given(st.binary(max_size=200))
def test_any_bytes_are_boxes_or_a_box_error(data: bytes) -> None:
    try:
        found = list(boxes(data))
    except BoxError:
        return
    assert not found or found[-1].end == len(data)


@given(st.integers(-8, 40), st.sampled_from([1, 2, 4, 8]), st.binary(max_size=24))
def test_a_number_is_read_only_from_inside_its_box(offset: int, size: int, body: bytes) -> None:
    found = Box(b"before" + body + b"behind", "test", 6, 6 + len(body))
    if offset >= 0 and offset + size <= len(body):
        assert found.uint(offset, size) == int.from_bytes(body[offset : offset + size], "big")
    else:
        with pytest.raises(BoxError, match="outside"):
            found.uint(offset, size)


def test_a_box_of_size_zero_goes_to_the_end() -> None:
    data = box("free") + struct.pack(">I4s", 0, b"mdat") + b"rest"
    assert [(found.kind, found.body) for found in boxes(data)] == [("free", b""), ("mdat", b"rest")]


def test_a_path_leads_to_a_descendant_and_a_wrong_one_says_what_is_missing() -> None:
    root = whole(box("moov", box("trak", box("mdia", b"x"))))
    assert root.within("moov", "trak", "mdia").body == b"x"
    with pytest.raises(BoxError, match="trak holds no tkhd"):
        root.within("moov", "trak", "tkhd")


def test_a_box_larger_than_its_parent_is_refused() -> None:
    with pytest.raises(BoxError, match="do not fit"):
        list(boxes(struct.pack(">I4s", 100, b"moov") + b"short"))
