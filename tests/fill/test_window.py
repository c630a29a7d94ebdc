"""Fill windows in local time."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fill.window import minute_of, next_window, rule_of, zone_of

TIMES = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.integers(0, 59))
ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/Santiago", "Asia/Kathmandu", "Pacific/Apia", "Australia/Lord_Howe"]
)


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("window", "now", "start", "end"),
    [
        (("02:00", "14:00", "UTC"), "2026-03-01T01:00Z", "2026-03-01T02:00Z", "2026-03-01T14:00Z"),
        (("02:00", "14:00", "UTC"), "2026-03-01T02:00Z", "2026-03-01T02:00Z", "2026-03-01T14:00Z"),
        (("02:00", "14:00", "UTC"), "2026-03-01T13:59Z", "2026-03-01T02:00Z", "2026-03-01T14:00Z"),
        (("02:00", "14:00", "UTC"), "2026-03-01T14:00Z", "2026-03-02T02:00Z", "2026-03-02T14:00Z"),
        (("22:00", "06:00", "UTC"), "2026-03-01T03:00Z", "2026-02-28T22:00Z", "2026-03-01T06:00Z"),
        (("22:00", "06:00", "UTC"), "2026-03-01T07:00Z", "2026-03-01T22:00Z", "2026-03-02T06:00Z"),
        (("00:00", "24:00", "UTC"), "2026-03-01T07:00Z", "2026-03-01T00:00Z", "2026-03-02T00:00Z"),
        (("05:00", "05:00", "UTC"), "2026-03-01T04:00Z", "2026-02-28T05:00Z", "2026-03-01T05:00Z"),
        (("02:00", "14:00", "America/New_York"), "2026-01-15T06:00Z", "2026-01-15T07:00Z", "2026-01-15T19:00Z"),
        (("00:00", "06:00", "Europe/Berlin"), "2026-03-29T00:30Z", "2026-03-28T23:00Z", "2026-03-29T04:00Z"),
        (("00:00", "06:00", "Europe/Berlin"), "2026-10-25T00:30Z", "2026-10-24T22:00Z", "2026-10-25T05:00Z"),
    ],
)
def test_the_window_is_the_open_one_or_the_next(window: tuple[str, str, str], now: str, start: str, end: str) -> None:
    found = next_window(rule_of(*window), at(now))
    assert (found.start, found.end) == (at(start), at(end))


@settings(deadline=None)
@given(TIMES, TIMES, ZONES, st.integers(0, 2**31))
def test_a_window_is_never_over_starts_within_a_day_and_keeps_local_time(
    start: str, end: str, zone: str, now: int
) -> None:
    found = next_window(rule_of(start, end, zone, 7), now)
    assert now < found.end
    assert 0 < found.end - found.start <= 49 * 3600  # Samoa skipped a day
    assert found.start - now <= 49 * 3600
    assert found.rate_bps == 7
    local = datetime.fromtimestamp(found.start, zone_of(zone))
    exists = datetime.fromtimestamp(local.astimezone(UTC).timestamp(), zone_of(zone)) == local
    assert exists
    if zone == "UTC":
        assert f"{local:%H:%M}" == start


@pytest.mark.parametrize("text", ["", "2:00", "25:00", "24:01", "14", "02:00:00", "840", "ab:cd", "02:60"])
def test_what_is_no_time_of_day_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="give HH:MM"):
        minute_of(text)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../../etc/passwd", "/etc/localtime"])
def test_an_unknown_time_zone_is_refused_in_words(name: str) -> None:
    with pytest.raises(ValueError, match="not a time zone this machine knows"):
        zone_of(name)


def test_known_zones_are_found() -> None:
    assert zone_of("Europe/Berlin") == ZoneInfo("Europe/Berlin")
