"""The link between workers and keeper: what is framed comes out whole, however the socket cuts it."""

from __future__ import annotations

import struct
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oca.link import messages as link

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
counts = st.integers(0, 2**63 - 1)
rows = st.builds(
    link.ServedRow, title=texts, rendition=texts, requests=counts, bytes=counts, objects=st.dictionaries(texts, counts)
)
said = st.one_of(
    st.builds(link.Hello, worker=counts, pid=counts),
    st.builds(link.Want, key=texts, via=st.lists(texts, max_size=3).map(tuple)),
    st.builds(
        link.Served,
        connections=counts,
        counters=st.dictionaries(texts, st.floats(allow_nan=False)),
        rows=st.lists(rows, max_size=3).map(tuple),
    ),
    st.builds(link.Welcome, disks=st.lists(texts, max_size=3).map(tuple)),
    st.builds(link.Growing, key=texts, path=texts, length=counts, available=counts),
    st.builds(link.Grown, key=texts, available=counts),
    st.builds(link.Stored, key=texts, path=texts),
    st.builds(link.Refused, key=texts, status=counts, reason=texts),
    st.builds(link.Failed, key=texts, reason=texts),
    st.builds(link.Gone, prefix=texts),
    st.builds(link.Disks, disks=st.lists(texts, max_size=3).map(tuple)),
)


@settings(deadline=None)
@given(st.lists(said, max_size=5), st.lists(st.integers(1, 50), min_size=1))
def test_messages_come_out_in_order_however_the_bytes_are_cut(messages: list[link.Message], cuts: list[int]) -> None:
    stream = b"".join(link.frame(message) for message in messages)
    deframer, heard, turn = link.Deframer(), [], 0
    while stream:
        cut = cuts[turn % len(cuts)]
        heard += deframer.feed(stream[:cut])
        stream, turn = stream[cut:], turn + 1
    assert heard == messages


def test_every_kind_of_message_has_a_tag_of_its_own() -> None:
    tags = [msgspec.inspect.type_info(kind).tag for kind in get_args(link.Message)]
    assert len(set(tags)) == len(tags) == 11


def test_a_frame_beyond_the_limit_is_refused_before_its_body_arrives() -> None:
    with pytest.raises(ValueError, match="a frame of 4194305 bytes"):
        link.Deframer().feed(struct.pack(">I", link.FRAME_LIMIT_BYTES + 1))


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x93\xa4Nope\x01\x02", b"\x92\xa5Hello\x01"])
def test_a_frame_that_is_no_message_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        link.Deframer().feed(struct.pack(">I", len(body)) + body)


def test_half_a_frame_waits_for_the_rest() -> None:
    deframer, frame = link.Deframer(), link.frame(link.Gone(prefix="t/"))
    assert deframer.feed(frame[:3]) == []
    assert deframer.feed(frame[3:-1]) == []
    assert deframer.feed(frame[-1:]) == [link.Gone(prefix="t/")]
