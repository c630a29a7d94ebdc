"""What the planner keeps, over restarts and whatever is sent twice."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from control.kit.errors import StorageError
from control.wire import DemandReport, FillPlan, FillReport, FillWindow, Title
from fill.books import Books
from fill.demand import History

Demand = Callable[..., DemandReport]
HOUR = 1_800_000_000 // 3600 * 3600
NOW = HOUR + 24 * 3600.0


@pytest.fixture
async def books(tmp_path: Path) -> AsyncIterator[Books]:
    opened = Books(tmp_path / "deep" / "fill.db")
    yield opened
    await opened.close()


async def test_demand_adds_up_over_hours_epochs_and_appliances_of_a_cluster(books: Books, demand: Demand) -> None:
    for appliance, cluster in (("a1", "north-a"), ("a2", "north-a"), ("b1", "south-a")):
        await books.keep_cluster(appliance, cluster)
    await books.add_demand(demand("a1", ("t", "v", HOUR, 100), ("t", "v", HOUR + 3600, 10)))
    await books.add_demand(demand("a1", ("t", "v", HOUR, 7), epoch=2000.0))
    await books.add_demand(demand("a2", ("t", "v", HOUR, 1000)))
    await books.add_demand(demand("b1", ("t", "v", HOUR, 5), ("u", "v", HOUR, 6)))
    found = await books.histories(NOW, HOUR)
    assert found.of("north-a") == History({("t", "v"): 1117}, 1.0)
    assert found.of("south-a") == History({("t", "v"): 5, ("u", "v"): 6}, 1.0)
    assert found.anywhere == History({("t", "v"): 1122, ("u", "v"): 6}, 1.0)
    assert found.of("west-a") == History()


async def test_reports_repeated_and_in_any_order_count_once(books: Books, demand: Demand) -> None:
    reports = [demand("a1", ("t", "v", HOUR, count), sequence=n) for n, count in enumerate((10, 50, 90))]
    for report in itertools.chain(*itertools.permutations(reports)):
        await books.add_demand(report)
    assert (await books.histories(NOW, HOUR)).anywhere.bytes == {("t", "v"): 90}


async def test_demand_of_an_unknown_appliance_counts_for_the_fleet(books: Books, demand: Demand) -> None:
    await books.add_demand(demand("stranger", ("t", "v", HOUR, 10)))
    found = await books.histories(NOW, HOUR)
    assert found.anywhere.bytes == {("t", "v"): 10}
    assert found.of("north-a").bytes == {}


async def test_only_demand_since_the_given_hour_counts(books: Books, demand: Demand) -> None:
    await books.add_demand(demand("a1", ("t", "v", HOUR - 3600, 10), ("t", "v", HOUR, 1)))
    assert (await books.histories(NOW, HOUR)).anywhere.bytes == {("t", "v"): 1}


async def test_old_demand_and_what_is_too_much_is_deleted_oldest_first(books: Books, demand: Demand) -> None:
    await books.add_demand(demand("a1", *(("t", "v", HOUR + 3600 * n, 1) for n in range(10))))
    assert await books.prune(HOUR + 3 * 3600, 1000) == 3
    assert await books.prune(0, 4) == 3
    assert (await books.histories(NOW, 0)).anywhere.bytes == {("t", "v"): 4}


async def test_everything_is_there_after_a_restart(tmp_path: Path, title: Callable[..., Title], demand: Demand) -> None:
    plan = FillPlan(id="p-1", appliance="a1", made_at=1.0, window=FillWindow(start=0, end=1))
    report = FillReport(appliance="a1", plan="p-1", state="running", at=2.0, bytes_done=5)
    books = Books(tmp_path / "fill.db")
    await books.keep_titles([title("old")])
    await books.keep_titles([title("t1"), title("t0")])
    await books.keep_plans([plan])
    await books.keep_report(report)
    await books.keep_cluster("a1", "north-a")
    await books.add_demand(demand("a1", ("t0", "v", HOUR, 3)))
    await books.close()
    books = Books(tmp_path / "fill.db")
    assert [each.id for each in books.titles()] == ["t0", "t1"]
    assert (books.plans(), books.reports(), books.clusters()) == ({"a1": plan}, {"a1": report}, {"a1": "north-a"})
    assert (await books.histories(NOW, HOUR)).of("north-a").bytes == {("t0", "v"): 3}
    await books.forget("a1")
    assert (books.plans(), books.reports(), books.clusters()) == ({}, {}, {})
    await books.close()


def test_a_place_that_cannot_hold_books_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot make the directory"):
        Books(tmp_path / "file" / "fill.db")
