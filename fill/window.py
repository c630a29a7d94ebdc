"""The fill window: when fetching is allowed, in the local time of the site.

Pure. A rule says `02:00` to `14:00` in a time zone; `next_window` says when that is next, in Unix seconds.
A window whose end is not after its start ends on the next day; equal times are the whole day. On the days
when clocks change, a window is as much longer or shorter as the day is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from control.wire import FillWindow

_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")
DAY_MINUTES = 24 * 60


@dataclass(frozen=True)
class WindowRule:
    """A daily window: minutes after local midnight, the time zone, and the rate in bit/s (0: no limit)."""

    start_minute: int
    end_minute: int
    zone: tzinfo
    rate_bps: int = 0


def rule_of(start: str, end: str, zone: str, rate_bps: int = 0) -> WindowRule:
    """The rule for times `start` and `end` (HH:MM) in time zone `zone`. Raises ValueError in words."""
    return WindowRule(minute_of(start) % DAY_MINUTES, minute_of(end), zone_of(zone), int(rate_bps))


def minute_of(text: str) -> int:
    """Minutes after midnight of a time written HH:MM. Raises ValueError.

    >>> minute_of("02:30"), minute_of("24:00")
    (150, 1440)
    """
    if _CLOCK.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not a time of day; give HH:MM from 00:00 to 24:00, in quotes")
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)


def zone_of(name: str) -> tzinfo:
    """The time zone called `name` in the IANA database. Raises ValueError in words."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        raise ValueError(
            f"{name!r} is not a time zone this machine knows; give UTC, or one such as Europe/Berlin "
            "(the system's tzdata package has them)"
        ) from error


def next_window(rule: WindowRule, now: float) -> FillWindow:
    """The window that is open at `now` (Unix seconds), or the next to open.

    >>> window = next_window(rule_of("02:00", "14:00", "UTC"), 86400.0)
    >>> window.start, window.end
    (93600.0, 136800.0)
    """
    today = datetime.fromtimestamp(now, rule.zone).date()
    for days in (-1, 0, 1, 2):
        midnight = datetime.combine(today + timedelta(days=days), time())
        start = _moment(midnight, rule.start_minute, rule.zone)
        end = _moment(midnight, _end_minute(rule), rule.zone)
        if now < end and start < end:
            return FillWindow(start=start, end=end, rate_bps=rule.rate_bps)
    raise AssertionError(f"no window of {rule} within two days of {now}")


def _end_minute(rule: WindowRule) -> int:
    return rule.end_minute if rule.end_minute > rule.start_minute else rule.end_minute + DAY_MINUTES


def _moment(midnight: datetime, minutes: int, zone: tzinfo) -> float:
    """Unix seconds of a local wall-clock time; one that clocks skip counts as if they had not."""
    return (midnight + timedelta(minutes=minutes)).replace(tzinfo=zone).timestamp()
