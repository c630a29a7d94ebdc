from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.conditions import Failed, NotModified, Part, Unsatisfiable, Whole, answer, ranged

ETAG = '"v1/00001.m4s"'
sizes = st.integers(0, 100)
positions = st.integers(0, 120)


@given(positions, positions, sizes)
def test_a_range_gives_the_bytes_that_slicing_gives(first: int, last: int, size: int) -> None:
    data = bytes(range(100))[:size]
    found = ranged(f"bytes={first}-{last}", size)
    if last < first:
        assert found == Whole()
    elif first >= size:
        assert found == Unsatisfiable()
    else:
        assert isinstance(found, Part)
        assert data[found.first : found.last + 1] == data[first : last + 1] != b""


@given(positions, sizes)
def test_open_and_suffix_ranges_give_the_bytes_that_slicing_gives(count: int, size: int) -> None:
    data = bytes(range(100))[:size]
    for header, expected in ((f"bytes={count}-", data[count:]), (f"bytes=-{count}", data[-count:] if count else b"")):
        found = ranged(header, size)
        if expected:
            assert isinstance(found, Part)
            assert data[found.first : found.last + 1] == expected
        else:
            assert found == Unsatisfiable()


@given(st.text(max_size=30), sizes)
def test_any_header_gives_an_answer_inside_the_object(header: str, size: int) -> None:
    found = ranged(header, size)
    assert isinstance(found, Whole | Unsatisfiable) or (
        isinstance(found, Part) and 0 <= found.first <= found.last < size
    )


@pytest.mark.parametrize(
    "header", ["bytes=0-1,3-4", "items=0-1", "bytes=-", "bytes", "bytes=5-2", "bytes=a-b", "bytes=" + "1" * 600 + "-"]
)
def test_ranges_we_do_not_serve_get_everything(header: str) -> None:
    assert answer("GET", {"Range": header}, ETAG, 10) == Whole()


@pytest.mark.parametrize("held", [ETAG, f"W/{ETAG}", "*", f'"x", {ETAG}', f'W/"x",W/{ETAG}'])
def test_a_client_that_has_it_is_told_so(held: str) -> None:
    assert answer("GET", {"If-None-Match": held, "Range": "bytes=0-1"}, ETAG, 10) == NotModified()


@pytest.mark.parametrize("held", ['"other"', "", "v1/00001.m4s", '"v1/00001.m4s'])
def test_a_client_that_has_something_else_gets_it(held: str) -> None:
    assert answer("GET", {"If-None-Match": held}, ETAG, 10) == Whole()


def test_if_match_compares_strongly() -> None:
    assert answer("GET", {"If-Match": ETAG}, ETAG, 10) == Whole()
    assert answer("GET", {"If-Match": f"W/{ETAG}"}, ETAG, 10) == Failed()
    assert answer("GET", {"If-Match": '"other"'}, ETAG, 10) == Failed()


def test_a_range_holds_only_for_the_version_it_was_asked_of_and_only_for_get() -> None:
    assert answer("GET", {"Range": "bytes=2-3", "If-Range": ETAG}, ETAG, 10) == Part(2, 3)
    assert answer("GET", {"Range": "bytes=2-3", "If-Range": '"old"'}, ETAG, 10) == Whole()
    assert answer("HEAD", {"Range": "bytes=2-3"}, ETAG, 10) == Whole()
