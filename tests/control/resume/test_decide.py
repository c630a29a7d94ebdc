"""Which report counts and where a viewer resumes, by example and by invariant."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.resume.decide import HEARD_LIMIT, Rules, decided, resume_ms
from control.wire import Position

HOUR_MS = 3_600_000
RULES = Rules(alive_s=120.0, shortest_ms=300_000)
STARTS = {"tv": 1000.0, "phone": 2000.0, "tablet": 3000.0}


def position(session="tv", sequence=1, ms=60_000):
    return Position(profile="ana", title="bunny", session=session, sequence=sequence, position_ms=ms, at=5000.0)


def after(*reports, kept=None, rules=RULES, duration_ms=HOUR_MS):
    """The state after (position, received at) pairs."""
    for report, now in reports:
        kept = decided(kept, report, started_at=STARTS[report.session], now=now, duration_ms=duration_ms, rules=rules)
    return kept


def resumed(kept, duration_ms=HOUR_MS):
    return resume_ms(kept, duration_ms=duration_ms, rules=RULES)


def test_a_viewer_resumes_where_the_last_report_was():
    kept = after((position(sequence=1, ms=60_000), 0.0), (position(sequence=2, ms=64_000), 4.0))
    assert resumed(kept) == 64_000


def test_nothing_known_begins_at_the_beginning():
    assert resumed(None) == 0


def test_a_stale_sequence_number_is_ignored():
    kept = after((position(sequence=5, ms=64_000), 0.0))
    assert after((position(sequence=5, ms=1), 1.0), kept=kept) is kept
    assert after((position(sequence=4, ms=1), 1.0), kept=kept) is kept


def test_a_jump_back_within_a_session_counts():
    kept = after((position(sequence=1, ms=900_000), 0.0), (position(sequence=2, ms=30_000), 4.0))
    assert resumed(kept) == 30_000


def test_the_session_that_started_later_wins_while_it_is_alive():
    kept = after((position("phone", 1, 10_000), 0.0), (position("tv", 7, 900_000), 119.0))
    assert kept.position.session == "phone"
    assert resumed(kept) == 10_000


def test_a_session_gone_silent_yields_to_an_earlier_one():
    kept = after((position("phone", 1, 10_000), 0.0), (position("tv", 7, 900_000), 121.0))
    assert (kept.position.session, resumed(kept)) == ("tv", 900_000)


def test_a_later_session_takes_over_at_its_first_report():
    kept = after((position("tv", 7, 900_000), 0.0), (position("phone", 1, 5_000), 1.0))
    assert (kept.position.session, resumed(kept)) == ("phone", 5_000)


def test_a_late_repetition_of_a_report_that_lost_is_still_a_repetition():
    kept = after((position("phone", 1, 10_000), 0.0), (position("tv", 7, 900_000), 1.0))
    assert after((position("tv", 7, 900_000), 500.0), kept=kept) is kept


@pytest.mark.parametrize(("share", "resumes"), [(0.949, True), (0.95, False), (1.0, False)])
def test_a_title_seen_to_its_end_begins_anew(share, resumes):
    kept = after((position(ms=int(share * HOUR_MS)), 0.0))
    assert bool(resumed(kept)) is resumes


def test_a_title_seen_stays_seen_until_another_session_has_passed_its_beginning():
    kept = after((position("tv", 1, HOUR_MS), 0.0))
    kept = after((position("phone", 1, 0), 10.0), (position("phone", 2, HOUR_MS // 20), 20.0), kept=kept)
    assert resumed(kept) == 0
    kept = after((position("phone", 3, HOUR_MS // 20 + 1000), 30.0), kept=kept)
    assert resumed(kept) == HOUR_MS // 20 + 1000


def test_the_session_that_completed_a_title_does_not_begin_it_again_by_jumping_back():
    kept = after((position("tv", 1, HOUR_MS), 0.0), (position("tv", 2, HOUR_MS // 2), 10.0))
    assert resumed(kept) == 0


def test_short_titles_never_resume():
    kept = after((position(ms=100_000), 0.0), duration_ms=299_000)
    assert resumed(kept, duration_ms=299_000) == 0
    assert resumed(after((position(ms=100_000), 0.0), duration_ms=300_000), duration_ms=300_000) == 100_000


def test_a_position_past_the_end_is_the_end():
    assert after((position(ms=10 * HOUR_MS), 0.0)).position.position_ms == HOUR_MS


def test_the_sessions_remembered_are_few():
    kept = None
    for number in range(20):
        report = msgspec.structs.replace(position(), session=f"s{number}")
        kept = decided(kept, report, started_at=float(number), now=float(number), duration_ms=HOUR_MS, rules=RULES)
    assert [session for session, _ in kept.heard] == [f"s{number}" for number in range(20 - HEARD_LIMIT, 20)]


REPORTS = st.lists(
    st.tuples(
        st.builds(
            position,
            session=st.sampled_from(sorted(STARTS)),
            sequence=st.integers(0, 6),
            ms=st.integers(0, 2 * HOUR_MS),
        ),
        st.floats(0, 60),
    ),
    max_size=15,
).map(lambda pairs: [(report, sum(gap for _, gap in pairs[: n + 1])) for n, (report, _) in enumerate(pairs)])


@given(reports=REPORTS)
def test_repeating_any_report_changes_nothing(reports):
    kept = after(*reports)
    for report, now in reports:
        assert after((report, now + 10_000.0), kept=kept) is kept


@given(reports=REPORTS)
def test_the_kept_position_is_one_that_was_reported_and_within_the_title(reports):
    kept = after(*reports)
    if not reports:
        assert kept is None
        return
    assert kept.position.position_ms <= HOUR_MS
    assert any(
        (report.session, report.sequence, min(report.position_ms, HOUR_MS))
        == (kept.position.session, kept.position.sequence, kept.position.position_ms)
        for report, _ in reports
    )
    assert resumed(kept) in (0, kept.position.position_ms)


@given(reports=REPORTS)
def test_a_living_later_session_is_never_displaced(reports):
    kept = None
    for report, now in reports:
        before, kept = kept, after((report, now), kept=kept)
        if before is not None and now - before.received_at <= RULES.alive_s:
            assert kept.session_started_at >= before.session_started_at
