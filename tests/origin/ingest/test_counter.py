from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from origin.ingest.counter import SIZE, drawn, frames, label


def test_frames_are_of_one_size_and_all_different() -> None:
    found = list(frames(60, 25))
    assert {len(frame) for frame in found} == {SIZE.width * SIZE.height}
    assert len(set(found)) == 60


@given(st.integers(0, 10**7), st.integers(1, 60))
def test_every_label_can_be_drawn(frame: int, rate: int) -> None:
    assert len(drawn(label(frame, rate))) == SIZE.width * SIZE.height


def test_a_digit_looks_like_itself() -> None:
    picture = drawn("7" + label(0, 25)[1:])
    rows = [picture[(3 + row) * SIZE.width + 3 :][:5] for row in range(7)]
    art = ["".join("#" if pixel > 128 else "." for pixel in row) for row in rows]
    assert art == ["#####", "....#", "...#.", "..#..", ".#...", ".#...", ".#..."]
