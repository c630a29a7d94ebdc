"""Progress of plans as operators read it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from control.wire import FillPlan, FillReport, FillWindow, Heartbeat
from fill.members import MemberLimits, Members
from fill.progress import Progress, appliance_status, rate_bps

PLAN = FillPlan(id="p-1", appliance="a1", made_at=1.0, window=FillWindow(start=0, end=100))


def report(at: float, done: int, **changes: Any) -> FillReport:
    values: dict[str, Any] = {"appliance": "a1", "plan": "p-1", "state": "running", "bytes_total": 1000}
    return FillReport(at=at, bytes_done=done, **(values | changes))


def test_speed_and_time_left_come_from_the_reports_own_clock(beat: Callable[..., Heartbeat]) -> None:
    progress = Progress({})
    members = Members(MemberLimits(), origin="origin")
    members.heartbeat(beat(), 0.0)
    for at, done in ((10.0, 100), (11.0, 200), (12.0, 300)):
        assert progress.take(report(at, done, bytes_by_source={"cache:origin": done}))
    status = appliance_status("a1", members, PLAN, progress, 5.0)
    assert (status.state, status.bytes_done, status.rate_bps, status.eta_s) == ("running", 300, 800.0, 7.0)
    assert status.bytes_by_source == {"cache:origin": 300}
    assert (status.live, status.cluster) == (True, "north-a")


def test_a_late_report_does_not_undo_a_newer_one() -> None:
    progress = Progress({})
    assert progress.take(report(10.0, 100))
    assert not progress.take(report(9.0, 50))
    assert not progress.take(report(10.0, 100))
    assert progress.last("a1") == report(10.0, 100)


@pytest.mark.parametrize(
    "reports",
    [
        [],
        [report(1.0, 10)],
        [report(1.0, 10), report(2.0, 10)],
        [report(1.0, 0, state="waiting"), report(2.0, 10)],
        [report(1.0, 0), report(2.0, 10), report(3.0, 10, state="done")],
    ],
)
def test_nobody_knows_a_speed_without_two_reports_of_fetching(reports: list[FillReport]) -> None:
    assert rate_bps(reports) is None


def test_reports_of_an_earlier_plan_say_nothing_of_this_one(beat: Callable[..., Heartbeat]) -> None:
    progress = Progress({"a1": report(1.0, 10, plan="p-0")})
    members = Members(MemberLimits(), origin="origin")
    status = appliance_status("a1", members, PLAN, progress, 5.0)
    assert (status.state, status.bytes_done, status.live) == ("planned", 0, False)
    assert status.waiting_for == "its first heartbeat"
    assert appliance_status("a1", members, None, progress, 5.0).state == "none"
    progress.take(report(2.0, 20))
    assert progress.rate_bps("a1") is None
