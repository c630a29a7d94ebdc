"""CBOR: the vectors of RFC 8949, Appendix A, that are in the strict form, and nothing that is not."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oca.front.access import cbor
from oca.front.access.cbor import CborError, Tag, decode, encode

VECTORS = [
    ("00", 0),
    ("17", 23),
    ("1818", 24),
    ("1903e8", 1000),
    ("1a000f4240", 1000000),
    ("1bffffffffffffffff", 18446744073709551615),
    ("3bffffffffffffffff", -18446744073709551616),
    ("20", -1),
    ("3863", -100),
    ("f90000", 0.0),
    ("f93e00", 1.5),
    ("fa47c35000", 100000.0),
    ("fb3ff199999999999a", 1.1),
    ("f97bff", 65504.0),
    ("fbc010666666666666", -4.1),
    ("f4", False),
    ("f5", True),
    ("f6", None),
    ("40", b""),
    ("4401020304", b"\x01\x02\x03\x04"),
    ("60", ""),
    ("6161", "a"),
    ("62225c", '"\\'),
    ("62c3bc", "\u00fc"),
    ("64f0908591", "\U00010151"),
    ("80", ()),
    ("83010203", (1, 2, 3)),
    ("8301820203820405", (1, (2, 3), (4, 5))),
    ("a0", {}),
    ("a201020304", {1: 2, 3: 4}),
    ("a26161016162820203", {"a": 1, "b": (2, 3)}),
    ("c11a514b67b0", Tag(1, 1363896240)),
    ("d74401020304", Tag(23, b"\x01\x02\x03\x04")),
    ("d818456449455446", Tag(24, b"dIETF")),
]
REFUSED = {
    "an integer longer than needed": "1817",
    "a length longer than needed": "580100",
    "a tag longer than needed": "d8010a",
    "indefinite bytes": "5f42010243030405ff",
    "an indefinite array": "9fff",
    "an indefinite map": "bfff",
    "infinity": "f97c00",
    "not a number": "f97e00",
    "undefined": "f7",
    "an unassigned simple value": "f0",
    "a simple value in two bytes": "f8ff",
    "a break": "ff",
    "reserved information": "1c",
    "a key twice": "a201020103",
    "a key that is a float": "a1f93c0001",
    "a key that is true": "a1f501",
    "a key that is an array": "a18001",
    "text that is not UTF-8": "61ff",
    "a surrogate": "63eda080",
    "bytes after the end": "0000",
    "nothing": "",
    "less than announced": "4401",
    "an array of far too many": "9b00000000ffffffff",
    "bytes of far too many": "5b7fffffffffffffff",
    "a nest too deep": "81" * 9 + "00",
}

leaves = st.one_of(
    st.integers(-(2**64), 2**64 - 1),
    st.binary(max_size=40),
    st.text(max_size=20),
    st.booleans(),
    st.none(),
    st.floats(allow_nan=False, allow_infinity=False),
)
keys = st.one_of(st.integers(-1000, 1000), st.text(max_size=5), st.binary(max_size=5))
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(keys, inner, max_size=4),
        st.builds(Tag, st.integers(0, 2**64 - 1), inner),
    ),
    max_leaves=12,
)


def depth(value):
    if isinstance(value, tuple):
        return 1 + max(map(depth, value), default=0)
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=1)
    return 1 + depth(value.value) if isinstance(value, Tag) else 1


@pytest.mark.parametrize(("text", "value"), VECTORS)
def test_the_vectors_of_the_standard_are_read_and_written(text, value):
    assert decode(bytes.fromhex(text)) == value
    assert type(decode(bytes.fromhex(text))) is type(value)
    assert encode(value).hex() == text


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_what_could_be_read_in_two_ways_is_refused(text):
    with pytest.raises(CborError):
        decode(bytes.fromhex(text))


def test_negative_zero_keeps_its_sign():
    assert math.copysign(1, decode(encode(-0.0))) == -1


@settings(max_examples=50)
@given(values)
def test_what_is_written_is_read_back(value):
    if depth(value) > cbor.DEPTH_LIMIT:
        with pytest.raises(CborError):
            decode(encode(value))
    else:
        assert decode(encode(value)) == value


@settings(max_examples=50)
@given(st.dictionaries(keys, st.integers(0, 9), max_size=6), st.randoms())
def test_a_map_is_written_the_same_in_whatever_order_it_was_made(entries, random):
    shuffled = list(entries.items())
    random.shuffle(shuffled)
    assert encode(dict(shuffled)) == encode(entries)


@given(st.binary(max_size=200))
def test_no_bytes_crash_it(text):
    try:
        value = decode(text)
    except CborError:
        return
    assert len(encode(value)) <= len(text)


@given(st.integers(0, 2**64 - 1), st.sampled_from([24, 25, 26, 27]))
def test_a_number_has_one_width(number, low):
    width = 1 << (low - 24)
    if number < 1 << 8 * width:
        text = bytes((low,)) + number.to_bytes(width, "big")
        if text == encode(number):
            assert decode(text) == number
        else:
            with pytest.raises(CborError):
                decode(text)


@pytest.mark.parametrize("value", [{1, 2}, object(), 2**64, -(2**64) - 1, math.inf, math.nan, bytearray(b"x")])
def test_what_has_no_form_is_not_written(value):
    with pytest.raises(CborError):
        encode(value)


def test_items_and_bytes_are_bounded():
    with pytest.raises(CborError, match="items"):
        decode(encode(tuple(range(cbor.ITEMS_LIMIT))))
    with pytest.raises(CborError, match="bytes"):
        decode(encode(bytes(cbor.SIZE_LIMIT)))
