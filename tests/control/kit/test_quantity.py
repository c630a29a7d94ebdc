"""Quantities as a person writes and reads them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control.kit.quantity import BitsPerSecond, Bytes, Seconds, human_bytes, human_rate


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Bytes, "2GiB", 2 * 1024**3),
        (Bytes, "1.5 kB", 1500),
        (Bytes, "7", 7),
        (Bytes, "3PB", 3 * 1000**5),
        (Bytes, 512, 512),
        (Seconds, "500ms", 0.5),
        (Seconds, "12h", 43_200.0),
        (Seconds, "2d", 172_800.0),
        (Seconds, 1.25, 1.25),
        (BitsPerSecond, "1.2Gbps", 1_200_000_000),
        (BitsPerSecond, "800 kbps", 800_000),
    ],
)
def test_a_quantity_is_read(kind: type[Bytes | Seconds | BitsPerSecond], text: object, value: float) -> None:
    assert kind.parse(text) == value


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        (Bytes, "5 parsecs", "unknown unit 'parsecs'; give a size such as 500MB or 2GiB"),
        (Bytes, "", "is not a size"),
        (Bytes, True, "True is not a size"),
        (Bytes, None, "None is not a size"),
        (Bytes, "-1GB", "is not a size"),
        (Bytes, float("nan"), "is not a size"),
        (Bytes, float("inf"), "is not a size"),
        (Bytes, "9" * 400, "is too large"),
        (Seconds, "1GB", "unknown unit 'GB'; give a duration"),
        (Seconds, -2, "-2 is negative"),
        (Seconds, float("nan"), "is not a duration"),
        (BitsPerSecond, "1GB", "give a rate such as 800Mbps or 1.2Gbps"),
    ],
)
def test_what_is_no_quantity_is_refused_with_an_example_of_one(kind: type[Bytes], text: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        kind.parse(text)


@settings(deadline=None)
@given(st.one_of(st.text(), st.floats(), st.integers()))
def test_anything_is_a_quantity_that_is_not_negative_or_a_value_error(value: object) -> None:
    for kind in (Bytes, Seconds, BitsPerSecond):
        try:
            assert kind.parse(value) >= 0
        except ValueError:
            continue


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2.5e12, "2.5 TB"), (7e15, "7 PB"), (-1500, "-1.5 kB")],
)
def test_bytes_are_shown_in_units_a_person_reads(count: float, words: str) -> None:
    assert human_bytes(count) == words


@pytest.mark.parametrize(("rate", "words"), [(0, "0 bit/s"), (1.5e6, "1.5 Mbit/s"), (3e12, "3 Tbit/s")])
def test_rates_are_shown_in_units_a_person_reads(rate: float, words: str) -> None:
    assert human_rate(rate) == words
