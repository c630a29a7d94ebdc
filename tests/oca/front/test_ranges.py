"""Ranges and conditions against a plain list of bytes."""

from email.utils import formatdate

from hypothesis import given
from hypothesis import strategies as st

from oca.front.ranges import byte_ranges, coalesced, etag_matches, http_date, precondition, range_applies

sizes = st.integers(0, 300)
spec = st.one_of(
    st.tuples(st.integers(0, 320), st.integers(0, 320)).map(lambda p: (min(p), max(p))),
    st.tuples(st.integers(0, 320), st.none()),
    st.tuples(st.none(), st.integers(0, 320)),
)


def text_of(one):
    first, last = one
    return f"{'' if first is None else first}-{'' if last is None else last}"


def model(one, size):
    """The positions asked for that exist, by counting."""
    first, last = one
    if first is None:
        return [i for i in range(size) if i >= size - last]
    return [i for i in range(size) if i >= first and (last is None or i <= last)]


@given(st.lists(spec, min_size=1, max_size=8), sizes)
def test_ranges_select_the_bytes_that_counting_selects(specs, size):
    field = ("bytes=" + ", ".join(map(text_of, specs))).encode()
    found = byte_ranges(field, size)
    expected = [positions for positions in (model(one, size) for one in specs) if positions]
    assert found is not None
    assert [list(range(first, end)) for first, end in found] == expected


@given(st.binary(max_size=40), sizes)
def test_any_field_is_ignored_or_gives_ranges_inside_the_object(field, size):
    found = byte_ranges(field, size)
    assert found is None or all(0 <= first < end <= size for first, end in found)


@given(st.lists(spec, min_size=1, max_size=8), sizes)
def test_joined_ranges_cover_the_same_bytes(specs, size):
    found = byte_ranges(("bytes=" + ",".join(map(text_of, specs))).encode(), size) or []
    joined = coalesced(found)
    assert {i for a, b in joined for i in range(a, b)} == {i for a, b in found for i in range(a, b)}
    assert sum(b - a for a, b in joined) <= sum(b - a for a, b in found)


def test_more_ranges_than_the_limit_are_ignored_as_a_whole():
    assert byte_ranges(b"bytes=" + b",".join([b"0-0"] * 33), 10) is None


def test_weak_tags_match_only_where_weak_comparison_is_allowed():
    assert etag_matches(b'W/"a"', b'"a"', weak=True)
    assert not etag_matches(b'W/"a"', b'"a"', weak=False)
    assert etag_matches(b"*", b'"a"', weak=False)


@given(st.integers(0, 4_000_000_000))
def test_a_rendered_date_is_read_back(seconds):
    assert http_date(formatdate(seconds, usegmt=True).encode()) == seconds


@given(st.binary(max_size=40))
def test_a_field_that_is_no_date_is_none_and_never_an_error(field):
    assert http_date(field) is None or isinstance(http_date(field), float)


def test_if_none_match_goes_before_if_modified_since():
    old = formatdate(0, usegmt=True).encode()
    new = formatdate(2_000_000_000, usegmt=True).encode()
    assert precondition({b"if-none-match": b'"b"', b"if-modified-since": new}, b'"a"', 100) == "send"
    assert precondition({b"if-none-match": b'"a"', b"if-modified-since": old}, b'"a"', 100) == "not-modified"
    assert precondition({b"if-modified-since": new}, b'"a"', 100) == "not-modified"


def test_if_match_goes_before_if_unmodified_since():
    old = formatdate(0, usegmt=True).encode()
    assert precondition({b"if-match": b'"a"', b"if-unmodified-since": old}, b'"a"', 100) == "send"
    assert precondition({b"if-match": b'"b"'}, b'"a"', 100) == "failed"
    assert precondition({b"if-unmodified-since": old}, b'"a"', 100) == "failed"


def test_if_range_needs_the_exact_strong_validator():
    date = formatdate(100, usegmt=True).encode()
    assert range_applies({}, b'"a"', 100)
    assert range_applies({b"if-range": b'"a"'}, b'"a"', 100)
    assert range_applies({b"if-range": date}, b'"a"', 100)
    assert not range_applies({b"if-range": b'W/"a"'}, b'"a"', 100)
    assert not range_applies({b"if-range": date}, b'"a"', 101)
