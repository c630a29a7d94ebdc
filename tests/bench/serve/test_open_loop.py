import threading
import time

from hypothesis import given
from hypothesis import strategies as st

from bench.serve import open_loop
from bench.serve.connections import Pool, Target
from bench.serve.open_loop import Schedule
from tests.bench.serve.conftest import answer, heads, polite

schedules = st.builds(Schedule, rate=st.floats(0.5, 1e5), seconds=st.floats(0.01, 10))


@given(schedules, st.floats(0, 12))
def test_what_is_due_is_exactly_what_should_have_started(schedule, elapsed):
    due = schedule.due(elapsed)
    assert 0 <= due <= schedule.total
    assert due == 0 or schedule.start(due - 1) <= elapsed
    assert due == schedule.total or schedule.start(due) > elapsed


@given(schedules)
def test_starts_are_evenly_spaced(schedule):
    assert schedule.start(0) == 0
    assert schedule.due(schedule.start(schedule.total)) == schedule.total


def run(target, schedule, connections):
    with Pool(target, connections, time.monotonic) as pool:
        return open_loop.run(pool, lambda: target.request("/"), schedule, time.monotonic)


def test_every_request_of_the_schedule_is_asked_and_answered(scripted):
    outcome = run(Target(scripted(polite).address), Schedule(200, 0.3), 8)
    assert outcome.requests == len(outcome.ttfb_s) == len(outcome.answered_s) == 60
    assert outcome.failures == 0
    assert outcome.seconds >= 0.29


def test_a_stall_of_the_server_shows_in_every_request_that_should_have_started_meanwhile(scripted):
    stalled = threading.Event()

    def stall_once(sock):
        for _ in heads(sock):
            if not stalled.is_set():
                stalled.set()
                time.sleep(0.4)
            sock.sendall(answer(b"x"))

    outcome = run(Target(scripted(stall_once).address), Schedule(100, 0.5), 1)
    assert outcome.requests == 50
    assert outcome.waited >= 30
    # A closed loop would have seen one slow request; here the queue behind it is seen.
    assert sum(seconds > 0.1 for seconds in outcome.ttfb_s) >= 25


def test_a_server_that_goes_away_fails_what_was_still_to_come(scripted):
    server = None

    def once(sock):
        next(heads(sock))
        sock.sendall(answer(b"x"))
        server.listener.close()

    server = scripted(once)
    outcome = run(Target(server.address), Schedule(100, 0.2), 1)
    assert outcome.requests + outcome.failures >= 20
    assert outcome.failures > 0
