from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.ingest.boxes import BoxError
from origin.ingest.codec_strings import aac_string, avc_string


def descriptor(tag: int, body: bytes, *, padded: int = 1) -> bytes:
    size = len(body)
    sizes = [(size >> (7 * shift)) & 0x7F for shift in reversed(range(padded))]
    return bytes([tag, *(part | 0x80 for part in sizes[:-1]), sizes[-1]]) + body


def esds(object_type: int, *, padded: int = 1, flags: int = 0, optional: bytes = b"", code: int = 0x40) -> bytes:
    specific = (
        bytes([object_type << 3, 0x10])
        if object_type < 31
        else bytes([31 << 3 | (object_type - 32) >> 3, (object_type - 32 & 7) << 5])
    )
    config = bytes([code, 0x15, *bytes(11)]) + descriptor(5, specific, padded=padded)
    return descriptor(3, bytes([0, 0, flags]) + optional + descriptor(4, config, padded=padded), padded=padded)


@given(st.binary(min_size=3, max_size=3), st.binary(max_size=20))
def test_an_avc_string_is_profile_constraints_and_level_in_hex(three: bytes, rest: bytes) -> None:
    assert avc_string(b"\x01" + three + rest) == f"avc1.{three.hex()}"


@given(st.integers(1, 45).filter(lambda number: number != 31), st.integers(1, 4))
def test_an_aac_string_names_the_audio_object_type_however_lengths_are_written(number: int, padded: int) -> None:
    assert aac_string(esds(number, padded=padded)) == f"mp4a.40.{number}"


@pytest.mark.parametrize(
    ("flags", "optional"), [(0x80, b"\0\1"), (0x40, b"\3url"), (0x20, b"\0\2"), (0xE0, b"\0\1\1u\0\2")]
)
def test_optional_fields_of_the_es_descriptor_are_stepped_over(flags: int, optional: bytes) -> None:
    assert aac_string(esds(2, flags=flags, optional=optional)) == "mp4a.40.2"


def test_sound_that_is_not_aac_keeps_its_object_type_indication() -> None:
    assert aac_string(esds(2, code=0x6B)) == "mp4a.6b"


@given(st.binary(max_size=60))
def test_any_bytes_give_a_string_or_a_box_error(data: bytes) -> None:
    for read in (avc_string, aac_string):
        try:
            assert read(data).startswith(("avc1.", "mp4a."))
        except BoxError:
            continue


@given(st.integers(0, 40))
def test_a_descriptor_cut_anywhere_is_a_box_error(length: int) -> None:
    data = esds(2)
    if length < len(data):
        with pytest.raises(BoxError):
            aac_string(data[:length])
