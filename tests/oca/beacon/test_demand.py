"""What viewers asked for, by rendition and hour."""

from oca.beacon.demand import Demand
from oca.link.messages import ServedRow

HOUR = 1_700_000_000 // 3600 * 3600


def row(made, requests=3, size=1000, **objects):
    names = {
        name.replace("init", "init.mp4").replace("seg", "0000") + ("" if name == "init" else ".m4s"): n
        for name, n in objects.items()
    }
    return ServedRow(made.key.title, made.key.rendition, requests, size, names)


def test_rows_of_an_hour_add_up_and_tell_how_far_viewers_came(world):
    made, demand = world.made(), Demand()
    demand.count(row(made, init=2, seg1=1), made.index, HOUR + 10.0)
    demand.count(row(made, seg2=3), made.index, HOUR + 3599.0)
    demand.count(row(made, init=1), made.index, HOUR + 3600.0)
    first, second = demand.since(0)
    assert (first.hour, first.requests, first.bytes, first.sessions, first.farthest_segment) == (HOUR, 6, 2000, 2, 2)
    assert (second.hour, second.requests, second.sessions, second.farthest_segment) == (HOUR + 3600, 3, 1, 0)


def test_without_an_index_requests_are_counted_all_the_same(world):
    made, demand = world.made(), Demand()
    demand.count(row(made, init=2), None, HOUR)
    assert [(each.requests, each.sessions) for each in demand.since(0)] == [(3, 0)]


def test_only_what_changed_is_told_and_closed_hours_go_when_told(world):
    made, other, demand = world.made(), world.made("other"), Demand()
    demand.count(row(made), made.index, HOUR)
    told = demand.change
    demand.count(row(other), other.index, HOUR)
    assert [each.title for each in demand.since(told)] == ["other"]
    demand.forget(demand.change, HOUR + 10.0)
    assert len(demand.since(0)) == 2, "the hour is still open"
    demand.forget(told, HOUR + 3600.0)
    assert [each.title for each in demand.since(0)] == ["other"], "what was not told stays"
