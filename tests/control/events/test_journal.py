"""The latest events of each session, counted once, bounded both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.events.journal import METRICS, Journal
from control.kit.metrics import Meter
from control.wire import PlaybackEvent


def event(session="p", sequence=1, kind="start", value=0):
    return PlaybackEvent(session=session, sequence=sequence, at=1.0, kind=kind, value=value)


def journal(sessions_limit=3, events_limit=4):
    meter = Meter(METRICS)
    return Journal(meter, sessions_limit=sessions_limit, events_limit=events_limit), meter


def test_events_are_kept_in_their_order_and_counted_once():
    kept, meter = journal()
    for sequence, kind in ((2, "stall"), (1, "start"), (2, "stall"), (3, "failover")):
        kept.record(event(sequence=sequence, kind=kind, value=500))
    assert [each.kind for each in kept.of("p").events] == ["start", "stall", "failover"]
    assert meter.value("oca_control_player_events_total", kind="stall") == 1
    assert meter.value("oca_control_player_stall_seconds_sum") == pytest.approx(0.5)
    assert meter.value("oca_control_player_startup_seconds_count") == 1


def test_old_events_make_room_and_do_not_come_back():
    kept, meter = journal(events_limit=2)
    for sequence in (1, 2, 3, 1):
        kept.record(event(sequence=sequence))
    assert [each.sequence for each in kept.of("p").events] == [2, 3]
    assert kept.of("p").dropped == 1
    assert meter.value("oca_control_player_events_total", kind="start") == 3


def test_the_session_that_was_silent_longest_makes_room():
    kept, _ = journal(sessions_limit=2)
    for session, sequence in (("a", 1), ("b", 1), ("a", 2), ("c", 1)):
        kept.record(event(session, sequence))
    assert [len(kept.of(session).events) for session in "abc"] == [2, 0, 1]


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 9)), max_size=60))
def test_a_journal_is_bounded_and_ordered_whatever_arrives(reports):
    kept, _ = journal()
    for session, sequence in reports:
        kept.record(event(session, sequence))
    found = [kept.of(session).events for session in "abcde"]
    assert sum(bool(events) for events in found) <= 3
    for events in found:
        numbers = [each.sequence for each in events]
        assert numbers == sorted(set(numbers))
        assert len(numbers) <= 4
