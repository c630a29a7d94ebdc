"""An evening with the real players: they start soon, play without a stall, and outlive the appliance that serves.

The players watch at the same time, each on a line of its own, so the appliance has to die only once.
"""

from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

pytestmark = [pytest.mark.browser, pytest.mark.media, pytest.mark.asyncio(loop_scope="session")]

START_LIMIT_MS = 2000
PLAYED_S = 15
PLAYED_ON_S = 8
PLAYERS = [("hls", "hls"), ("dash", "dash"), ("shaka", "hls"), ("shaka", "dash")]
each_player = pytest.mark.parametrize("who", PLAYERS, ids=lambda who: f"{who[0]}-{who[1]}")


@dataclass
class Evening:
    """What every player's page said, at three moments."""

    killed: str = ""
    started: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    played: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    survived: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    events: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    complaints: dict[tuple[str, str], list[str]] = field(default_factory=dict)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def evening(fleet, viewer):
    told = Evening()
    viewers = {}
    for who in PLAYERS:  # one after the other and then paused: a start is measured while nothing else is decoded
        viewers[who] = await viewer()
        await viewers[who].open(player=who[0], format=who[1], profile="-".join(who), autoplay="1")
        told.started[who] = await viewers[who].started()
        await viewers[who].pause()
    for each in viewers.values():
        await each.play()
    for who, each in viewers.items():
        told.played[who] = await each.plays_to(told.started[who]["current_time"] + PLAYED_S)
    told.killed = told.played[PLAYERS[0]]["served_by"]
    at_death = {who: (await each.facts())["current_time"] for who, each in viewers.items()}
    await fleet.kill(told.killed)
    for who, each in viewers.items():
        told.survived[who] = await each.plays_to(at_death[who] + PLAYED_ON_S, not_from=told.killed)
    async with aiohttp.ClientSession(fleet.url("control")) as control:
        for who, each in viewers.items():
            async with control.get(f"/v1/playback/{told.played[who]['session']}/events") as answer:
                told.events[who] = (await answer.json())["events"]
            told.complaints[who] = each.complaints
            await each.page.close()
    await fleet.start(told.killed)
    return told


@each_player
async def test_playback_starts_within_two_seconds_on_ten_megabits(evening, who):
    assert evening.started[who]["ttff_ms"] < START_LIMIT_MS


@each_player
async def test_an_appliance_serves_and_the_origin_sends_nothing(evening, who):
    played = evening.played[who]
    assert played["served_by"] != "origin"
    assert played["bytes_by"]["origin"] == 0
    assert played["bytes_by"][played["served_by"]] > 0


@each_player
async def test_fifteen_seconds_play_without_a_stall(evening, who):
    assert evening.played[who]["stalls"] == 0, evening.played[who]["stops"]


@each_player
async def test_the_player_asks_steering_and_follows_it(evening, who):
    played = evening.played[who]
    assert played["steering"]["priority"][0] == played["served_by"]


async def test_all_players_of_a_title_are_sent_to_the_same_appliance(evening):
    assert {played["served_by"] for played in evening.played.values()} == {evening.killed}


@each_player
async def test_killing_the_appliance_stops_no_picture(evening, who):
    survived = evening.survived[who]
    assert survived["stalls"] == 0, survived["stops"]
    assert survived["served_by"] not in (evening.killed, "origin")
    assert survived["bytes_by"][survived["served_by"]] > 0


@each_player
async def test_the_page_records_which_appliance_sent_each_segment(evening, who):
    survived = evening.survived[who]
    sent_by = [appliance for appliance in survived["segments"] if appliance]
    assert sent_by[0] == evening.killed
    assert sent_by[-1] == survived["served_by"]
    assert [(move["from"], move["to"]) for move in survived["moves"]] == [(evening.killed, survived["served_by"])]


@each_player
async def test_control_hears_of_the_start_and_the_failover(evening, who):
    heard = {event["kind"]: event for event in evening.events[who]}
    assert heard["start"]["value"] == pytest.approx(evening.started[who]["ttff_ms"], abs=1)
    assert heard["failover"]["pathway"] == evening.survived[who]["served_by"]
    assert "error" not in heard


@each_player
async def test_the_page_breaks_no_policy_and_throws_no_error(evening, who):
    ours = [words for words in evening.complaints[who] if "ERR_CONNECTION_REFUSED" not in words]
    assert ours == []
