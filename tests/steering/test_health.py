"""The life of an appliance as probes see it."""

from __future__ import annotations

import re
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steering.health import TABLE, Health, Outcome, Phase, Thresholds, probed, words

RULES = Thresholds(failures=2, successes=3)


def after(outcomes: str, rules: Thresholds = RULES) -> Health:
    """Health after outcomes written as `+` and `-`, one a second."""
    health = Health()
    for second, mark in enumerate(outcomes):
        outcome: Outcome = "ok" if mark == "+" else "failed"
        health = probed(health, outcome, float(second), rules, error="refused", rtt_s=0.001)
    return health


def test_the_table_has_a_step_for_every_phase_and_outcome() -> None:
    assert set(TABLE) == {(phase, outcome) for phase in get_args(Phase) for outcome in get_args(Outcome)}


@pytest.mark.parametrize(
    ("outcomes", "phase"),
    [
        ("", "new"),
        ("+", "alive"),
        ("-", "new"),
        ("---", "new"),
        ("---+", "alive"),
        ("+-", "suspect"),
        ("+-+", "alive"),
        ("+-+-", "suspect"),
        ("+--", "dead"),
        ("+--+", "recovering"),
        ("+--++", "recovering"),
        ("+--+++", "alive"),
        ("+--++-", "dead"),
        ("+--++-++", "recovering"),
    ],
)
def test_probes_lead_through_the_phases(outcomes: str, phase: Phase) -> None:
    assert after(outcomes).phase == phase


def test_one_failure_kills_at_once_where_the_threshold_is_one() -> None:
    assert after("+-", Thresholds(failures=1, successes=1)).phase == "dead"
    assert after("+-+", Thresholds(failures=1, successes=1)).phase == "alive"


@settings(deadline=None)
@given(st.text("+-", max_size=40), st.integers(1, 4), st.integers(1, 4))
def test_nobody_comes_back_from_the_dead_without_enough_successes(outcomes: str, failures: int, successes: int) -> None:
    health, since_death = Health(), None
    for second, mark in enumerate(outcomes):
        before = health
        health = probed(health, "ok" if mark == "+" else "failed", float(second), Thresholds(failures, successes))
        since_death = 0 if mark == "-" and health.phase == "dead" else since_death
        if since_death is not None and mark == "+":
            since_death += 1
            assert (health.phase == "alive") == (since_death >= successes)
            since_death = None if health.phase == "alive" else since_death
        if mark == "-" and before.phase == "alive" and failures > 1:
            assert health.phase == "suspect"


def test_the_time_of_death_and_of_each_phase_is_kept() -> None:
    health = after("+--++")
    assert (health.died_at, health.since) == (2.0, 3.0)
    assert after("+--++-").died_at == 2.0
    assert after("----").died_at is None


@pytest.mark.parametrize(
    ("outcomes", "text"),
    [
        ("", "not probed yet"),
        ("-", "never answered a probe: refused"),
        ("+", "alive"),
        ("+-", r"suspect: 1 of 2 probes in a row failed \(refused\)"),
        ("+--", "dead: refused"),
        ("+--++", "recovering: 2 of 3 probes in a row succeeded"),
    ],
)
def test_each_phase_is_told_in_words(outcomes: str, text: str) -> None:
    assert re.fullmatch(text, words(after(outcomes), RULES))
