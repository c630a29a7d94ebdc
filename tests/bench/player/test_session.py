"""Playing against real sockets: what a viewer would see, whatever the appliances do."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from bench.player.events import PlayerEvent
from bench.player.limits import PlayerLimits
from bench.player.play import PlaybackError
from bench.player.presentation import ManifestError
from bench.player.session import Player, media_session
from control.kit.errors import UnreachableError

Until = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.mark.parametrize("kind", ["hls", "dash"])
async def test_it_plays_from_the_first_pathway_without_a_stall_and_saves_where_it_stopped(world, kind: str) -> None:
    player = world.player(kind)
    await player.start()
    await player.play_until(2000)
    assert player.serving == "north-1"
    result = await player.stop()
    assert (result.outcome, result.stalls, result.failovers, result.smooth) == ("stopped", 0, (), True)
    assert 2000 <= result.position_ms < 4000
    assert result.position_saved
    assert world.positions[-1].position_ms == result.position_ms
    assert set(result.bytes_by_pathway) == {"north-1"}
    assert result.ttfs_ms is not None
    assert result.startup_ms is not None
    assert 0 < result.ttfs_ms < 2000
    assert world.kinds[0] == "start"
    assert world.kinds[-1] == "stop"


@pytest.mark.parametrize("kind", ["hls", "dash"])
async def test_it_resumes_in_the_segment_that_holds_the_position(world, kind: str) -> None:
    world.resume_ms = 5310
    player = world.player(kind)
    await player.start()
    assert player.position_ms >= 5310
    await player.play_until(6000)
    result = await player.stop()
    assert result.resume_ms == 5310
    edge = world.edges["north-1"]
    assert edge.media("v")[0] == 27
    assert edge.media("a")[0] == 27


async def test_a_position_at_the_end_starts_over(world) -> None:
    world.resume_ms = 12_000
    async with world.player() as player:
        await player.start()
        assert world.edges["north-1"].media()[0] == 1


async def test_it_plays_to_the_end(world, quick: PlayerLimits) -> None:
    world.resume_ms = 10_000
    player = world.player(limits=msgspec.structs.replace(quick, speed=8.0))
    await player.start()
    await player.play_until(99_999)
    result = await player.stop()
    assert (result.outcome, result.position_ms, result.stalls) == ("ended", 12_000, 0)
    assert world.edges["north-1"].media()[-1] == 60


async def test_it_keeps_no_more_ahead_than_the_goal(world, quick: PlayerLimits) -> None:
    async with world.player() as player:
        await player.start()
        await player.play_until(1000)
        snapshot = player.snapshot()
        assert snapshot is not None
        assert snapshot.buffer_s <= quick.buffer_goal_s + 0.2 + 0.001


async def test_it_climbs_to_the_best_rendition_the_network_carries(world, quick: PlayerLimits) -> None:
    slow_start = msgspec.structs.replace(quick, initial_bps=100_000.0)
    player = world.player(limits=slow_start)
    await player.start()
    await player.play_until(1500)
    result = await player.stop()
    assert result.switches == 1
    assert list(result.rendition_seconds) == ["v300", "v900"]
    assert "switch" in world.kinds


async def test_it_goes_down_on_a_slow_network_and_abandons_what_would_come_too_late(world, quick: PlayerLimits) -> None:
    for edge in world.edges.values():
        edge.bytes_per_s = 12_000.0
    limits = msgspec.structs.replace(
        quick, speed=0.05, initial_bps=10e6, slow_window_s=2.0, slow_window_bytes=100, startup_s=0.1, stall_limit_s=9.0
    )
    player = world.player("dash", limits=limits)
    await player.start()
    result = await player.stop()
    abandoned = [record for record in result.requests if record.error.startswith("abandoned")]
    assert len(abandoned) == 1
    assert "/v900/" in abandoned[0].url
    assert result.failovers == ()
    assert set(result.rendition_seconds) == {"v300"}


@pytest.mark.parametrize("kind", ["hls", "dash"])
async def test_an_appliance_killed_in_mid_segment_is_survived_without_a_stall(world, kind: str) -> None:
    heard: list[PlayerEvent] = []
    world.edges["north-1"].dies_in = "/v900/00022.m4s"
    player = world.player(kind, on_event=heard.append)
    await player.start()
    await player.play_until(5500)
    assert player.serving == "north-2"
    result = await player.stop()
    assert (result.outcome, result.stalls) == ("stopped", 0)
    (failover,) = result.failovers
    assert (failover.from_pathway, failover.to_pathway, failover.stalls) == ("north-1", "north-2", 0)
    assert result.retries >= 1
    assert sorted({*world.edges["north-1"].media(), *world.edges["north-2"].media()})[:27] == list(range(1, 28))
    assert [event.pathway for event in heard if event.kind == "failover"] == ["north-2"]
    assert "failover" in world.kinds


async def test_an_appliance_that_hangs_is_survived_without_a_stall(world, quick: PlayerLimits, until: Until) -> None:
    player = world.player(limits=msgspec.structs.replace(quick, buffer_goal_s=6.0, first_byte_s=0.4))
    await player.start()
    await until(lambda: player.snapshot().buffer_s > 5)
    world.edges["north-1"].hung = True
    await until(lambda: player.serving == "north-2")
    result = await player.stop()
    assert result.stalls == 0
    assert result.failovers[0].reason == "no answer in 0.4 s"


async def test_a_body_that_stops_coming_is_given_up(world, quick: PlayerLimits, until: Until) -> None:
    player = world.player(limits=msgspec.structs.replace(quick, buffer_goal_s=6.0, slow_window_s=0.4))
    await player.start()
    await until(lambda: player.snapshot().buffer_s > 5)
    world.edges["north-1"].bytes_per_s = 500.0
    await until(lambda: player.serving == "north-2")
    result = await player.stop()
    assert result.stalls == 0
    assert result.failovers[0].reason == "fewer than 1000 bytes in 0.4 s"


async def test_an_appliance_that_lies_about_lengths_is_left(world) -> None:
    world.edges["north-1"].overstate = 500
    player = world.player()
    await player.start()
    await player.play_until(500)
    result = await player.stop()
    assert result.failovers[0].from_pathway == "north-1"
    assert "cut off after" in result.failovers[0].reason
    assert set(result.segments_by_pathway) == {"north-2"}


async def test_a_segment_missing_on_one_appliance_comes_from_the_next_and_play_returns(world) -> None:
    world.edges["north-1"].missing = lambda path: path.endswith("/v900/00003.m4s")
    player = world.player()
    await player.start()
    await player.play_until(1500)
    assert player.serving == "north-1"
    result = await player.stop()
    (failover,) = result.failovers
    assert (failover.to_pathway, failover.segment, failover.reason) == ("north-2", 2, "answered 404")
    assert world.edges["north-2"].media() == [3]
    assert result.stalls == 0


async def test_an_appliance_that_misses_many_objects_is_left(world) -> None:
    world.edges["north-1"].missing = lambda path: "/v900/" in path and path.endswith(".m4s")
    player = world.player()
    await player.start()
    await player.play_until(1500)
    result = await player.stop()
    assert len(result.failovers) == 2
    assert len(world.edges["north-1"].media()) == 2
    assert player.serving == "north-2"


async def test_dead_appliances_at_the_start_are_passed_over(world) -> None:
    world.edges["north-1"].die()
    world.edges["north-2"].status = 503
    async with world.player() as player:
        await player.start()
        assert player.serving == "origin"


@pytest.mark.parametrize("kind", ["hls", "dash"])
async def test_new_requests_go_where_steering_says(world, until: Until, kind: str) -> None:
    player = world.player(kind)
    await player.start()
    await until(lambda: world.questions)
    world.priority[:] = ["north-2", "north-1", "origin"]
    await until(lambda: player.serving == "north-2")
    result = await player.stop()
    assert [(move.from_pathway, move.to_pathway) for move in result.steered] == [("north-1", "north-2")]
    assert result.failovers == ()
    assert result.stalls == 0
    name = "_HLS_pathway=north-1" if kind == "hls" else "_DASH_pathway=%22north-1%22"
    assert name in world.questions[0]
    assert "again=1" in world.questions[1]
    assert "throughput=" in world.questions[1]


async def test_a_failed_appliance_is_used_again_only_when_steering_brings_it_back(world, until: Until) -> None:
    player = world.player()
    await player.start()
    world.edges["north-1"].status = 500
    await until(lambda: player.serving == "north-2")
    world.edges["north-1"].status = 200
    asked = len(world.questions)
    await until(lambda: len(world.questions) > asked)
    assert player.serving == "north-2", "steering has not noticed the failure, so its word does not count"
    world.priority[:] = ["north-2", "origin"]
    asked = len(world.questions)
    await until(lambda: len(world.questions) > asked + 1)
    world.priority[:] = ["north-1", "north-2", "origin"]
    await until(lambda: player.serving == "north-1")
    result = await player.stop()
    assert len(result.failovers) == 1
    assert result.stalls == 0


async def test_dead_steering_does_not_disturb(world) -> None:
    world.steering_status = 500
    player = world.player("dash")
    await player.start()
    await player.play_until(1000)
    assert (await player.stop()).smooth


async def test_control_may_die_after_the_start(world, quick: PlayerLimits) -> None:
    player = world.player(limits=msgspec.structs.replace(quick, position_interval_s=0.1))
    await player.start()
    await world.kill_control()
    await player.play_until(4000)
    result = await player.stop()
    assert (result.outcome, result.stalls) == ("stopped", 0)
    assert not result.position_saved
    assert result.reports_lost > 0


async def test_positions_are_reported_while_it_plays_in_order(world, quick: PlayerLimits, until: Until) -> None:
    player = world.player(limits=msgspec.structs.replace(quick, position_interval_s=0.05))
    await player.start()
    await until(lambda: len(world.positions) >= 3)
    await player.stop()
    sequences = [position.sequence for position in world.positions]
    assert sequences == sorted(set(sequences))
    moments = [position.position_ms for position in world.positions]
    assert moments == sorted(moments)


async def test_when_everything_dies_it_stalls_and_then_fails_in_words(world) -> None:
    player = world.player()
    await player.start()
    for edge in world.edges.values():
        edge.die()
    with pytest.raises(PlaybackError, match=r"no pathway delivers|nothing to play"):
        await player.play_until(12_000)
    result = await player.stop()
    assert result.outcome == "failed"
    assert "deliver" in result.error or "nothing to play" in result.error
    assert "error" in world.kinds


async def test_a_stall_is_counted_told_and_ended(world, quick: PlayerLimits, until: Until) -> None:
    heard: list[str] = []
    limits = msgspec.structs.replace(quick, buffer_goal_s=0.3, startup_s=0.2, first_byte_s=1.0)
    player = world.player(limits=limits, on_event=lambda event: heard.append(event.kind))
    await player.start()
    for edge in world.edges.values():
        edge.hung = True
    await until(lambda: "stall" in heard)
    for edge in world.edges.values():
        edge.hung = False
    await until(lambda: "resume" in heard)
    result = await player.stop()
    assert result.stalls == 1
    assert result.stall_ms > 0
    assert not result.smooth
    assert "stall" in world.kinds


async def test_unreachable_control_is_said_at_the_start() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        player = Player(control_url=url, title="t", profile="p", device="d")
        with pytest.raises(UnreachableError, match="cannot be reached"):
            await player.start()
        result = await player.stop()
    assert result.outcome == "failed"
    assert "cannot be reached" in result.error


async def test_a_title_that_is_not_there_is_said_at_the_start(world) -> None:
    player = Player(control_url=world.steering_url, title="t", profile="p", device="d")
    with pytest.raises(UnreachableError, match="404"):
        await player.start()
    await player.stop()


async def test_a_bad_manifest_is_said_at_the_start(world) -> None:
    world.empty_manifests = True
    player = world.player()
    with pytest.raises(ManifestError, match="nothing to play"):
        await player.start()
    assert (await player.stop()).outcome == "failed"


async def test_stop_is_the_same_twice_and_leaves_nothing_running(world) -> None:
    before = asyncio.all_tasks()
    player = world.player()
    await player.start()
    first = await player.stop()
    assert await player.stop() is first
    left = [task for task in asyncio.all_tasks() - before if task.get_name().startswith("player")]
    assert left == []


async def test_a_player_cancelled_at_the_start_can_be_stopped(world) -> None:
    for edge in world.edges.values():
        edge.hung = True
    player = world.player()
    starting = asyncio.create_task(player.start())
    await asyncio.sleep(0)
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    assert (await player.stop()).outcome == "failed"


async def test_many_players_share_connections(world) -> None:
    async with media_session() as http:
        players = [world.player(http=http) for _ in range(8)]
        await asyncio.gather(*(player.start() for player in players))
        await asyncio.gather(*(player.play_until(800) for player in players))
        results = await asyncio.gather(*(player.stop() for player in players))
        assert all(result.smooth for result in results)
        assert not http.closed


async def test_a_checker_that_finds_wrong_bytes_moves_play_on(world) -> None:
    class NoQuestionMarks:
        def __init__(self) -> None:
            self.wrong = ""

        def feed(self, chunk: bytes) -> None:
            if b"?" in chunk:
                self.wrong = "question marks"

        def verdict(self) -> str:
            return self.wrong

    player = world.player("dash", verify=lambda _: NoQuestionMarks())
    await player.start()
    world.edges["north-1"].corrupt = True
    await player.play_until(5000)
    result = await player.stop()
    assert result.failovers[0].reason == "question marks"
    assert player.serving == "north-2"
    assert result.stalls == 0


async def test_requests_are_recorded_and_old_ones_dropped(world, quick: PlayerLimits) -> None:
    player = world.player(limits=msgspec.structs.replace(quick, requests_kept=5))
    await player.start()
    await player.play_until(500)
    result = await player.stop()
    assert len(result.requests) == 5
    assert result.requests_dropped > 5
    assert all(record.duration_ms >= record.ttfb_ms for record in result.requests)
    decoded = msgspec.json.decode(msgspec.json.encode(result))
    assert decoded["requests"][0]["pathway"]


@pytest.mark.parametrize("mode", ["header", "query", "off"])
async def test_cmcd_travels_as_asked(world, quick: PlayerLimits, mode: str) -> None:
    player = world.player(limits=msgspec.structs.replace(quick, cmcd=mode))
    await player.start()
    result = await player.stop()
    media = [record for record in result.requests if record.purpose == "media"]
    heard = [headers.get("cmcd-object", "") for headers in world.edges["north-1"].headers]
    assert any("ot=v" in text for text in heard) == (mode == "header")
    assert all(("CMCD=" in record.url) == (mode == "query") for record in media)


async def test_an_outage_of_everything_shorter_than_the_buffer_is_not_noticed(
    world, quick: PlayerLimits, until
) -> None:
    player = world.player(limits=msgspec.structs.replace(quick, speed=2.0, startup_s=1.0, rounds=1, backoff_most_s=0.1))
    await player.start()
    await until(lambda: player.snapshot().buffer_s > 3)
    for edge in world.edges.values():
        edge.status = 503
    await player.play_until(1500)
    for edge in world.edges.values():
        edge.status = 200
    await player.play_until(4500)
    result = await player.stop()
    assert result.stalls == 0
    assert result.retries > 3
