"""How many bytes of each rendition viewers of a cluster will ask for until the next fill.

Pure. Three levels, each the prior of the next, mixed in proportion to the days of evidence:

1. Release prior: a title draws by its age alone; a new one draws most, though nobody has asked yet.
2. The fleet: what all viewers asked for says what a cluster that has not asked yet is going to ask for.
3. The cluster: what its own viewers asked for.

Evidence is then aged: a title's demand falls from week to week by a ratio that depends on its age. On
public weekly hours this beats moving averages and "as last week"; without the release prior a fleet loses
1 to 3 points of byte hits on release days.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from control.wire import Title

Key = tuple[str, str]
"""(title, rendition)"""

DAY_S = 86_400.0
WEEK_DAYS = 7.0
WEEKLY_RATIO = (1.06, 0.45, 0.58, 0.69, 0.74)
"""Demand of next week over this week's by weeks since release, films and series averaged; the last holds on."""
LEAST_DRAW = 0.005
"""No title draws less than this share of a new one."""
PRIOR_DAYS = 1.0
"""The prior counts as much as so many days of evidence."""
HORIZON_DAYS = 1.0
"""From one fill to the next."""


@dataclass(frozen=True)
class History:
    """Bytes sent to viewers over the last `days`, per rendition."""

    bytes: Mapping[Key, int] = field(default_factory=dict)
    days: float = 0.0


@dataclass(frozen=True)
class Expectation:
    """Bytes expected until the next fill, and what that rests on: bytes asked for here and anywhere."""

    bytes: float
    asked_here: int = 0
    asked_anywhere: int = 0


def forecast(titles: Sequence[Title], here: History, anywhere: History, now: float) -> dict[Key, Expectation]:
    """What viewers will ask for of every rendition of `titles`. `now` in Unix seconds."""
    if not titles:
        return {}
    ages = {title.id: max(now - title.published_at, 0.0) / DAY_S for title in titles}
    floor = sum(title.bytes for title in titles) / len(titles)
    draws = {title: draw(age) for title, age in ages.items()}
    fleet = _rates(draws, _by_title(anywhere), anywhere.days, ages, floor)
    cluster = _rates(fleet, _by_title(here), here.days, ages, floor)
    expected: dict[Key, Expectation] = {}
    for title in titles:
        total = cluster[title.id] * _aging(ages[title.id], here.days) * HORIZON_DAYS
        for rendition, share in _split(title, here, anywhere).items():
            key = (title.id, rendition)
            expected[key] = Expectation(total * share, here.bytes.get(key, 0), anywhere.bytes.get(key, 0))
    return expected


def draw(age_days: float) -> float:
    """Demand at an age as a share of that at release, by the weekly ratios alone.

    >>> round(draw(0), 2), round(draw(7), 2), round(draw(14), 2), draw(5000)
    (1.0, 1.06, 0.48, 0.005)
    """
    weeks, share = age_days / WEEK_DAYS, 1.0
    whole = int(weeks)
    for week in range(min(whole, 60)):
        share *= _ratio(week)
    return max(share * math.pow(_ratio(whole), weeks - whole), LEAST_DRAW)


def _ratio(week: int) -> float:
    return WEEKLY_RATIO[min(week, len(WEEKLY_RATIO) - 1)]


def _aging(age_days: float, observed_days: float) -> float:
    """What is left of a rate seen on average half the observed time ago, in the middle of the horizon."""
    span = min(observed_days, age_days)
    return math.pow(_ratio(int(age_days / WEEK_DAYS)), (span / 2 + HORIZON_DAYS / 2) / WEEK_DAYS)


def _rates(
    prior: Mapping[str, float], seen: Mapping[str, int], days: float, ages: Mapping[str, float], floor: float
) -> dict[str, float]:
    """Bytes a day per title: its share of the prior and what was seen, weighed by days of evidence.

    `floor` is the daily volume assumed where (almost) nothing was seen.
    """
    total_prior = sum(prior.values())
    volume = max(sum(seen.values()) / days if days else 0.0, floor)
    rates = {}
    for title, weight in prior.items():
        exposed = min(days, ages[title])
        expected = PRIOR_DAYS * volume * weight / total_prior if total_prior else 0.0
        rates[title] = (expected + seen.get(title, 0)) / (PRIOR_DAYS + exposed)
    return rates


def _by_title(history: History) -> dict[str, int]:
    totals: dict[str, int] = defaultdict(int)
    for (title, _), count in history.bytes.items():
        totals[title] += count
    return totals


def _split(title: Title, here: History, anywhere: History) -> dict[str, float]:
    """Each rendition's share of the title's bytes: as asked for, where enough was; else as players choose."""
    prior = _choice(title)
    for history in (anywhere, here):
        seen = {rendition: history.bytes.get((title.id, rendition), 0) for rendition in prior}
        evidence = title.bytes + sum(seen.values())
        prior = {r: (share * title.bytes + seen[r]) / evidence for r, share in prior.items()} if evidence else prior
    return prior


def _choice(title: Title) -> dict[str, float]:
    """Shares of bytes before anyone asked: every play takes an audio track, and a video track by its bandwidth."""
    by_kind: dict[str, int] = defaultdict(int)
    for rendition in title.renditions:
        by_kind[rendition.kind] += 1 if rendition.kind == "audio" else rendition.bandwidth_bps
    weights = {
        rendition.id: (rendition.bytes + rendition.index_bytes)
        * (1 if rendition.kind == "audio" else rendition.bandwidth_bps)
        / by_kind[rendition.kind]
        for rendition in title.renditions
    }
    total = sum(weights.values())
    return {rendition: weight / total for rendition, weight in weights.items()} if total else weights
