"""Steering over real sockets: what players, appliances, control and operators see."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from control.kit.clock import FakeClock
from control.kit.errors import AddressError
from control.kit.quantity import Bytes
from control.kit.settings import Listen
from control.wire import Heartbeat, Inventory, SteeringDecision, SteeringQuery, decode, encode
from steering.config import LimitSettings

Beat = Callable[..., Heartbeat]
Make = Callable[..., Inventory]
Until = Callable[..., Awaitable[None]]
Start = Callable[[str, str], Awaitable[Any]]
Running = Callable[..., Any]


async def test_steering_that_knows_nobody_sends_players_to_the_origin_at_once(running: Running) -> None:
    async with running() as probe:
        status, manifest = await probe.get("/v1/steer/bunny?session=s1&client=10.0.0.7&_HLS_pathway=gone")
        assert status == 200
        assert manifest == {
            "VERSION": 1,
            "TTL": 10,
            "RELOAD-URI": f"{probe.url}/v1/steer/bunny?session=s1&client=10.0.0.7",
            "PATHWAY-PRIORITY": ["origin"],
        }
        headers = await probe.headers("/v1/steer/bunny")
        assert headers["Content-Type"] == "application/vnd.apple.steering-list"
        assert headers["Access-Control-Allow-Origin"] == "*"
        assert (await probe.get("/readyz"))[0] == 200


async def test_a_dead_appliance_leaves_the_list_and_comes_back_by_itself_after_a_restart(
    running: Running, appliance: Start, beat: Beat, until: Until
) -> None:
    one, two = await appliance("a1", "127.0.0.11"), await appliance("a2", "127.0.0.12")
    async with running() as probe:
        for fake in (one, two):
            assert (await probe.send("/v1/heartbeats", beat(fake.name, url=fake.url)))[0] == 204

        async def listed() -> set[str]:
            return set(await probe.priority())

        async def is_listed(*names: str) -> bool:
            return await listed() == {*names, "origin"}

        await until(lambda: is_listed("a1", "a2"))
        await one.kill()
        await until(lambda: is_listed("a2"), limit_s=2.0)
        _, manifest = await probe.get("/v1/steer/bunny?client=10.0.0.7")
        assert manifest["TTL"] == 10
        await one.start()
        await until(lambda: is_listed("a1", "a2"))
        seen = probe.service.fleet.find("a1")
        assert (seen.health.phase, seen.health.run >= 3) == ("alive", True)


async def test_an_appliance_that_answers_probes_with_errors_is_left_out(
    running: Running, appliance: Start, beat: Beat, until: Until
) -> None:
    one = await appliance("a1", "127.0.0.11")
    async with running() as probe:
        await probe.send("/v1/heartbeats", beat("a1", url=one.url))
        await until(lambda: probe.service.fleet.find("a1").health.phase == "alive")
        one.status = 503
        await until(lambda: probe.service.fleet.find("a1").health.phase == "dead")
        _, explained = await probe.get("/v1/explain?client=10.0.0.7&title=bunny")
        assert "answered 503" in explained["candidates"][0]["unusable"]


async def test_a_draining_appliance_is_dropped_with_its_next_heartbeat(
    running: Running, appliance: Start, beat: Beat, until: Until
) -> None:
    one = await appliance("a1", "127.0.0.11")
    async with running() as probe:
        await probe.send("/v1/heartbeats", beat("a1", url=one.url))
        await until(lambda: probe.service.fleet.find("a1").health.phase == "alive")
        assert await probe.priority() == ["a1", "origin"]
        await probe.send("/v1/heartbeats", beat("a1", url=one.url, sequence=2, state="draining"))
        assert await probe.priority() == ["origin"]
        await probe.send("/v1/heartbeats", beat("a1", url=one.url, sequence=1))
        assert await probe.priority() == ["origin"]
        await probe.send("/v1/heartbeats", beat("a1", url=one.url, sequence=3))
        assert await probe.priority() == ["a1", "origin"]


async def test_an_appliance_whose_heartbeats_stop_is_dropped_though_it_answers_probes(
    running: Running, appliance: Start, beat: Beat, until: Until
) -> None:
    clock = FakeClock()
    one = await appliance("a1", "127.0.0.11")
    async with running(clock, heartbeat_ttl=5.0) as probe:
        await probe.send("/v1/heartbeats", beat("a1", url=one.url))

        async def alive() -> bool:
            clock.advance(0.02)
            await asyncio.sleep(0)
            return bool(probe.service.fleet.find("a1").health.phase == "alive")

        await until(alive)
        assert await probe.priority() == ["a1", "origin"]
        clock.advance(6)
        assert await probe.priority() == ["origin"]
        _, view = await probe.get("/v1/fleet")
        assert view["appliances"][0]["why"].startswith("no heartbeat for 6.")
        assert view["counts"]["silent"] == 1


async def test_restarted_steering_is_right_again_after_the_first_heartbeats(
    running: Running, appliance: Start, beat: Beat, inventory: Make, until: Until
) -> None:
    one = await appliance("a1", "127.0.0.11")

    async def report(probe: Any, sequence: int) -> None:
        await probe.send("/v1/heartbeats", beat("a1", url=one.url, sequence=sequence))
        await until(lambda: probe.service.fleet.find("a1").health.phase == "alive")
        assert await probe.priority() == ["a1", "origin"]

    async with running() as probe:
        await report(probe, 1)
        assert (await probe.send("/v1/inventories", inventory("a1", ("bunny", "v", 4, 4))))[0] == 204
        port = probe.service.port
    async with running(listen=Listen(port=port)) as probe:
        assert await probe.priority() == ["origin"]
        await report(probe, 7)
        status, problem = await probe.send("/v1/inventories", inventory("a1", full=False, sequence=8))
        assert (status, problem["type"]) == (409, "tag:oca,2026:full-inventory-wanted")
        assert (await probe.send("/v1/inventories", inventory("a1", ("bunny", "v", 4, 4), sequence=9)))[0] == 204
        _, explained = await probe.get("/v1/explain?client=10.0.0.7&title=bunny")
        assert explained["candidates"][0]["holds"] == "complete"


async def test_control_gets_a_decision_with_reasons_and_operators_look_it_up_later(
    running: Running, appliance: Start, beat: Beat, until: Until
) -> None:
    one = await appliance("a1", "127.0.0.11")
    async with running() as probe:
        await probe.send("/v1/heartbeats", beat("a1", url=one.url))
        await until(lambda: probe.service.fleet.find("a1").health.phase == "alive")
        query = encode(SteeringQuery(client="::ffff:10.0.0.7", title="bunny", session="s1"))
        status, body = await probe.send("/v1/decisions", query)
        decision = decode(json.dumps(body).encode(), SteeringDecision)
        assert (status, decision.client) == (200, "10.0.0.7")
        assert [(each.pathway, each.kind) for each in decision.pathways] == [("a1", "appliance"), ("origin", "origin")]
        assert decision.pathways[0].reasons[0] == "serves 10.0.0.0/8"
        assert await probe.get(f"/v1/decisions/{decision.id}") == (200, body)
        assert (await probe.get("/v1/decisions/d-0-0"))[0] == 404
        headers = await probe.headers("/v1/steer/bunny?client=10.0.0.7")
        assert (await probe.get(f"/v1/decisions/{headers['OCA-Decision']}"))[1]["title"] == "bunny"


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/v1/heartbeats", b"{", "Input data was truncated"),
        ("/v1/heartbeats", b'{"appliance": "a1"}', "missing required field `site`"),
        ("/v1/heartbeats", b"\xff\xfe", "Heartbeat"),
        ("/v1/inventories", b"[]", "Expected `object`"),
        ("/v1/decisions", b'{"client": "10.0.0.1", "title": "../etc"}', "`$.title`"),
        ("/v1/decisions", b'{"client": "me", "title": "bunny"}', "'me' is not an address"),
    ],
)
async def test_a_message_that_cannot_be_read_is_answered_with_what_is_wrong(
    running: Running, path: str, body: bytes, words: str
) -> None:
    async with running() as probe:
        status, problem = await probe.send(path, body)
        assert status == 400
        assert words in problem["detail"]


async def test_wrong_prefixes_and_names_are_refused_in_words(running: Running, beat: Beat) -> None:
    async with running() as probe:
        status, problem = await probe.send("/v1/heartbeats", beat(serves=("10.0.0.0/8", "10.0.0.0/99")))
        assert (status, problem["detail"][:10]) == (400, "serves[1]:")
        assert (await probe.send("/v1/heartbeats", beat("origin")))[0] == 400
        assert probe.service.meter.value("oca_steering_heartbeats_total", outcome="refused") == 2


@pytest.mark.parametrize("path", ["/v1/heartbeats", "/v1/inventories", "/v1/decisions"])
async def test_a_huge_body_is_refused_without_being_kept(running: Running, path: str) -> None:
    limits = LimitSettings(inventory=Bytes(20_000), message=Bytes(10_000))
    async with running(limits=limits) as probe:
        status, problem = await probe.send(path, b" " * 30_000)
        assert (status, problem["status"]) == (413, 413)


async def test_a_full_view_tells_newcomers_to_come_again(running: Running, beat: Beat) -> None:
    async with running(limits=LimitSettings(appliances=1)) as probe:
        assert (await probe.send("/v1/heartbeats", beat("a1")))[0] == 204
        status, problem = await probe.send("/v1/heartbeats", beat("a2"))
        assert (status, problem["retry_after_s"]) == (503, 10)


async def test_explain_says_which_parameter_is_missing_or_wrong(running: Running) -> None:
    async with running() as probe:
        assert "client is missing" in (await probe.get("/v1/explain?title=t"))[1]["detail"]
        assert "title is missing" in (await probe.get("/v1/explain?client=::1"))[1]["detail"]
        assert "not a title" in (await probe.get("/v1/explain?client=::1&title=a%2Fb"))[1]["detail"]
        assert (await probe.get("/v1/steer/..%2Fx"))[0] == 400


async def test_a_player_without_our_parameters_is_known_by_its_address(running: Running) -> None:
    async with running() as probe:
        _, manifest = await probe.get("/v1/steer/bunny?client=nonsense")
        assert manifest["RELOAD-URI"].endswith("/v1/steer/bunny?client=127.0.0.1")


async def test_metrics_count_what_happened(running: Running, appliance: Start, beat: Beat, until: Until) -> None:
    one = await appliance("a1", "127.0.0.11")
    async with running() as probe:
        await probe.send("/v1/heartbeats", beat("a1", url=one.url))
        meter = probe.service.meter
        await until(lambda: meter.value("oca_steering_appliances", standing="ready") == 1)
        await probe.get("/v1/steer/bunny?client=10.0.0.7&_HLS_pathway=origin")
        assert meter.value("oca_steering_manifests_total", protocol="hls") == 1
        assert meter.value("oca_steering_moves_total") == 1
        assert meter.value("oca_steering_decisions_total", first="appliance") == 1
        assert meter.value("oca_steering_heartbeats_total", outcome="new") == 1
        assert meter.value("oca_steering_transitions_total", to="alive") == 1
        assert meter.value("oca_steering_probes_total", outcome="ok") >= 1


async def test_a_taken_port_is_told_at_the_start(running: Running) -> None:
    async with running() as probe:
        with pytest.raises(AddressError, match=r"steering: cannot listen on 127\.0\.0\.1"):
            async with running(listen=Listen(port=probe.service.port)):
                pass
