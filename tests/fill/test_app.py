"""The planner over real sockets: what appliances and operators see, and what survives."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from control.kit.errors import AddressError, StorageError
from control.kit.quantity import Bytes
from control.kit.settings import Listen
from control.wire import DemandReport, FillReport, Heartbeat, Inventory, Title
from fill.config import LimitSettings

MakeTitle = Callable[..., Title]
Beat = Callable[..., Heartbeat]
Make = Callable[..., Inventory]
Demand = Callable[..., DemandReport]
Running = Callable[..., Any]
Until = Callable[..., Awaitable[Any]]


async def test_a_title_nobody_asked_for_is_planned_for_everyone_on_day_one(
    running: Running, control: Any, title: MakeTitle, beat: Beat, until: Until
) -> None:
    control.titles = [title("bunny", published_at=time.time())]
    async with running(control_url=control.url) as probe:
        await probe.appears(beat("a1"), beat("a2"), beat("b1", cluster="south-a"))

        async def settled() -> bool:
            plans = [await probe.plan(name) for name in ("a1", "a2", "b1")]
            return all(plans) and any(len(hold.sources) > 1 for plan in plans[:2] for hold in plan.hold)

        await until(settled)
        plans = [await probe.plan(name) for name in ("a1", "a2", "b1")]
        assert all({hold.rendition for hold in plan.hold} == {"v0-bunny", "v1-bunny", "a-bunny"} for plan in plans)
        masters = [hold.rendition for plan in plans[:2] for hold in plan.hold if hold.master]
        assert sorted(masters) == ["a-bunny", "v0-bunny", "v1-bunny"]


async def test_a_planner_started_first_waits_for_control_and_appliances_and_says_so(
    running: Running, control: Any, title: MakeTitle, beat: Beat, until: Until
) -> None:
    await control.kill()
    async with running(control_url=control.url) as probe:
        assert (await probe.get("/readyz"))[0] == 200
        status, problem = await probe.get("/v1/plans/a1")
        assert (status, problem["detail"]) == (404, "a1 has not reported; plans wait for its first heartbeat")
        await until(lambda: probe.service.meter.value("oca_fill_catalog_failures_total") >= 1)
        await probe.appears(beat("a1"))
        _, found = await probe.get("/v1/status")
        assert "connection refused" in found["waiting_for"][0]
        _, problem = await probe.get("/v1/plans/a1")
        assert problem["detail"].startswith("the plan of a1 waits for control's catalog")
        control.titles = [title("bunny")]
        await control.start()
        assert await until(lambda: probe.plan("a1"))
        _, found = await probe.get("/v1/status")
        assert (found["waiting_for"], found["titles"], found["catalog_error"]) == ([], 1, "")


async def test_plans_demand_and_progress_survive_a_restart_with_control_dead(
    running: Running, stocked: Any, beat: Beat, demand: Demand, until: Until
) -> None:
    hour = int(time.time()) // 3600 * 3600
    async with running(control_url=stocked.url) as probe:
        await probe.appears(beat("a1"))
        before = await until(lambda: probe.plan("a1"))
        assert (await probe.send("/v1/demand", demand("a1", ("bunny", "v0-bunny", hour, 5000))))[0] == 204
        report = FillReport(appliance="a1", plan=before.id, state="done", at=9.0, bytes_total=7, bytes_done=7)
        assert (await probe.send("/v1/fill-reports", report))[0] == 204
    await stocked.kill()
    async with running(control_url=stocked.url) as probe:
        assert await probe.plan("a1") == before
        _, found = await probe.get("/v1/status")
        row = found["appliances"][0]
        assert (row["plan"], row["state"], row["bytes_done"], row["live"]) == (before.id, "done", 7, False)
        await probe.appears(beat("a1", sequence=9))
        _, made = await probe.send("/v1/plans", b"")
        assert [(row["plan"], row["changed"]) for row in made["plans"]] == [(before.id, False)]
        _, explained = await probe.get("/v1/explain?title=bunny")
        assert {row["rendition"]: row["asked_here"] for row in explained["rows"]}["v0-bunny"] == 5000


async def test_an_unchanged_plan_is_not_sent_again(
    running: Running, stocked: Any, title: MakeTitle, beat: Beat, until: Until
) -> None:
    async with running(control_url=stocked.url) as probe:
        await probe.appears(beat("a1"))
        plan = await until(lambda: probe.plan("a1"))
        assert (await probe.get("/v1/plans/a1", **{"If-None-Match": f'"{plan.id}"'}))[0] == 304
        await probe.send("/v1/plans", b"")
        assert (await probe.get("/v1/plans/a1", **{"If-None-Match": f'"{plan.id}"'}))[0] == 304
        assert (await probe.get("/v1/plans/a1", **{"If-None-Match": '"p-other"'}))[0] == 200
        stocked.titles.append(title("new"))
        assert await until(lambda: _changed(probe, plan.id))


async def _changed(probe: Any, old: str) -> bool:
    return (await probe.get("/v1/plans/a1", **{"If-None-Match": f'"{old}"'}))[0] == 200


async def test_progress_is_counted_by_source_and_late_reports_are_ignored(
    running: Running, stocked: Any, beat: Beat, until: Until
) -> None:
    async with running(control_url=stocked.url) as probe:
        await probe.appears(beat("a1"))
        plan = await until(lambda: probe.plan("a1"))

        async def reports(at: float, cache: int, peer: int) -> None:
            sources = {"cache:origin": cache, "peer:a2": peer, "strange": 5}
            report = FillReport(
                appliance="a1",
                plan=plan.id,
                state="running",
                at=at,
                bytes_total=1000,
                bytes_done=cache + peer,
                bytes_by_source=sources,
                errors=("d1: input/output error",),
            )
            assert (await probe.send("/v1/fill-reports", report))[0] == 204

        await reports(1.0, 100, 0)
        await reports(3.0, 200, 300)
        await reports(2.0, 150, 0)
        row = (await probe.get("/v1/status"))[1]["appliances"][0]
        assert (row["state"], row["bytes_done"], row["rate_bps"], row["eta_s"]) == ("running", 500, 1600.0, 2.5)
        meter = probe.service.meter
        assert meter.value("oca_fill_fetched_bytes_total", kind="cache") == 200
        assert meter.value("oca_fill_fetched_bytes_total", kind="peer") == 300
        assert meter.value("oca_fill_reports_total", kind="fill_report", outcome="stale") == 1
        status, _ = await probe.send("/v1/fill-reports", FillReport(appliance="x", plan="p", state="done", at=1.0))
        assert status == 404


async def test_a_lost_inventory_is_noticed_and_held_renditions_are_not_planned_again(
    running: Running, stocked: Any, beat: Beat, inventory: Make, until: Until
) -> None:
    async with running(control_url=stocked.url) as probe:
        await probe.send("/v1/heartbeats", beat("a1"))
        status, problem = await probe.send("/v1/inventories", inventory("a1", full=False, sequence=4))
        assert (status, problem["type"]) == (409, "tag:oca,2026:full-inventory-wanted")
        assert await probe.plan("a1") is None
        rows = inventory("a1", ("bunny", "v0-bunny", 30, 30), ("gone", "v", 1, 1), sequence=5)
        assert (await probe.send("/v1/inventories", rows))[0] == 204
        plan = await until(lambda: probe.plan("a1"))
        assert [(evict.title, evict.rendition) for evict in plan.evict] == [("gone", "v")]
        _, made = await probe.send("/v1/plans?dry_run=1", b"")
        assert made["plans"][0]["missing_bytes"] == made["plans"][0]["hold_bytes"] - 3010


async def test_explain_says_where_a_title_goes_and_why_not(
    running: Running, stocked: Any, beat: Beat, until: Until
) -> None:
    async with running(control_url=stocked.url) as probe:
        await probe.appears(beat("a1", capacity=1500), beat("a2"))
        await until(lambda: probe.plan("a1"))
        await probe.send("/v1/heartbeats", beat("a3"))
        _, found = await probe.get("/v1/explain?title=bunny&appliance=a1")
        rows = {row["rendition"]: row for row in found["rows"]}
        assert rows["v0-bunny"]["verdict"] == "left"
        assert "needs 3.01 kB" in rows["v0-bunny"]["why"]
        assert (rows["a-bunny"]["verdict"], rows["a-bunny"]["place"]) == ("hold", 1)
        _, found = await probe.get("/v1/explain?title=bunny")
        assert {row["appliance"] for row in found["rows"]} == {"a1", "a2"}
        assert found["waiting_for"] == {"a3": "its inventory"}
        assert (await probe.get("/v1/explain?title=nope"))[0] == 404
        assert (await probe.get("/v1/explain?title=bunny&appliance=a9"))[0] == 404
        assert [row["appliance"] for row in (await probe.get("/v1/plans"))[1]["plans"]] == ["a1", "a2"]


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/v1/heartbeats", b"{", "Input data was truncated"),
        ("/v1/inventories", b"[]", "Expected `object`"),
        ("/v1/demand", b'{"appliance": "a1", "epoch": 1, "sequence": -1}', "`$.sequence`"),
        ("/v1/fill-reports", b'{"appliance": "a1", "plan": "p", "at": 1, "state": "lost"}', "`$.state`"),
    ],
)
async def test_a_message_that_cannot_be_read_is_answered_with_what_is_wrong(
    running: Running, path: str, body: bytes, words: str
) -> None:
    async with running() as probe:
        status, problem = await probe.send(path, body)
        assert status == 400
        assert words in problem["detail"]


async def test_demand_of_impossible_hours_is_refused_in_words(running: Running, demand: Demand) -> None:
    hour = int(time.time()) // 3600 * 3600
    async with running() as probe:
        for wrong, words in ((hour + 1, "is no multiple of 3600"), (hour + 4 * 3600, "lies in the future")):
            rows = demand("a1", ("t", "v", hour, 1), ("t", "v", wrong, 1))
            status, problem = await probe.send("/v1/demand", rows)
            assert status == 400
            assert problem["detail"].startswith(f"rows[1].hour: {wrong} {words}")


async def test_names_and_limits_are_defended(running: Running, beat: Beat) -> None:
    async with running(limits=LimitSettings(appliances=1)) as probe:
        assert (await probe.send("/v1/heartbeats", beat("origin")))[0] == 400
        assert (await probe.send("/v1/heartbeats", beat("a1")))[0] == 204
        assert (await probe.send("/v1/heartbeats", beat("a2")))[0] == 503
        assert (await probe.send("/v1/heartbeats", beat("a1", epoch=1.0, url="http://x.test")))[0] == 409


@pytest.mark.parametrize("path", ["/v1/heartbeats", "/v1/inventories", "/v1/demand", "/v1/fill-reports"])
async def test_a_huge_body_is_refused_without_being_kept(running: Running, path: str) -> None:
    async with running(limits=LimitSettings(inventory=Bytes(20_000), message=Bytes(10_000))) as probe:
        assert (await probe.send(path, b" " * 30_000))[0] == 413


async def test_books_and_ports_in_use_are_told_at_the_start(running: Running) -> None:
    async with running() as probe:
        with pytest.raises(StorageError, match="another process holds it"):
            async with running():
                pass
        with pytest.raises(AddressError, match="fill: cannot listen on"):
            async with running(listen=Listen(port=probe.service.port)):
                pass
