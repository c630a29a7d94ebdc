from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.ingest.errors import SourceError
from origin.ingest.ladder import LADDER, Rung, Size, chosen, level, parse_rung, scaled

sizes = st.builds(Size, st.integers(16, 8000), st.integers(16, 8000))
rungs = st.sampled_from([Rung(side, 1_000_000) for side in (144, 240, 360, 480, 720, 1080, 2160)])


@given(sizes)
def test_no_rung_is_above_its_source_and_there_is_always_one(source: Size) -> None:
    found = chosen(LADDER, source)
    assert found
    assert all(rung.short_side <= min(source.width, source.height) for rung in found)
    assert [rung.short_side for rung in found] == sorted({rung.short_side for rung in found})


@given(sizes, rungs)
def test_a_scaled_picture_has_even_sides_and_keeps_its_shape(source: Size, rung: Rung) -> None:
    size = scaled(source, rung)
    assert size.width % 2 == size.height % 2 == 0
    assert min(size.width, size.height) == rung.short_side or source.width == source.height
    assert (size.height > size.width) <= (source.height > source.width)
    wanted = Fraction(source.width, source.height)
    assert abs(Fraction(size.width, size.height) - wanted) <= wanted / 50


@pytest.mark.parametrize(("side", "size"), [(360, "640x360"), (480, "848x480"), (720, "1280x720"), (1080, "1920x1080")])
def test_the_usual_rungs_of_a_wide_picture_have_their_usual_sizes(side: int, size: str) -> None:
    assert str(scaled(Size(3840, 2160), Rung(side, 1))) == size


def test_a_picture_of_a_few_pixels_is_refused() -> None:
    with pytest.raises(SourceError, match="too small"):
        chosen(LADDER, Size(8, 600))


@pytest.mark.parametrize(
    ("size", "rate", "peak", "expected"),
    [
        (Size(640, 360), 25, 900_000, "3.0"),
        (Size(848, 480), 25, 1_800_000, "3.0"),
        (Size(1280, 720), 25, 3_750_000, "3.1"),
        (Size(1920, 1080), 25, 8_000_000, "4.0"),
        (Size(1920, 1080), 60, 8_000_000, "4.2"),
        (Size(3840, 2160), 60, 30_000_000, "5.2"),
        (Size(1280, 720), 25, 17_000_000, "3.2"),
        (Size(16000, 16000), 60, 1, "6.2"),
    ],
)
def test_the_level_is_the_lowest_that_allows_the_picture(size: Size, rate: int, peak: int, expected: str) -> None:
    assert level(size, Fraction(rate), peak) == expected


@given(st.integers(45, 2160), st.integers(10_000, 200_000_000))
def test_a_rung_is_read_as_written(half: int, rate: int) -> None:
    found = parse_rung(f"{2 * half}p:{rate}bps")
    assert (found.short_side, found.rate_bps, found.name) == (2 * half, rate, f"v{2 * half}p")


@pytest.mark.parametrize(
    "text", ["720", "721p:1Mbps", "20p:1Mbps", "9999p:1Mbps", "720p:fast", "720p:1bps", "720p:1Tbps"]
)
def test_a_rung_that_cannot_be_says_what_is_wrong(text: str) -> None:
    with pytest.raises(ValueError, match=r"^'[0-9a-zA-Z:]+'"):
        parse_rung(text)
