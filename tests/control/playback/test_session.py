"""A viewer presses play: over real sockets, with steering and without, before and after a restart."""

import asyncio
from xml.etree import ElementTree as ET

import m3u8
import msgspec
import pytest

from control.kit.clock import FakeClock
from control.kit.quantity import Seconds
from control.playback import dash
from control.wire import PlaybackRequest, PlaybackSession, decode

NS = {"d": dash.NAMESPACE}


def request(title="bunny", client="10.1.2.3", profile="ana"):
    return PlaybackRequest(title=title, profile=profile, device="tv", client=client)


async def begin(call, **fields):
    answer = await call("POST", "/v1/playback", request(**fields))
    assert answer.status == 201, answer.text
    return decode(answer.body, PlaybackSession)


def names(session):
    return [pathway.pathway for pathway in session.pathways]


async def test_a_viewer_gets_manifests_that_list_what_steering_decided(bench):
    plane, call = await bench.control()
    session = await begin(call)
    assert names(session) == ["north-1", "north-2", "origin"]
    assert session.decision == "d1"
    assert session.duration_ms == 60_000
    (query,) = bench.steering.queries
    assert (query.client, query.title, query.session) == ("10.1.2.3", "bunny", session.id)
    assert session.hls_url == f"{plane.url}/v1/playback/{session.id}/master.m3u8"
    steer = f"{bench.steering.url}/v1/steer/bunny?session={session.id}&client=10.1.2.3"

    playlist = await call("GET", session.hls_url)
    assert playlist.headers["Content-Type"] == "application/vnd.apple.mpegurl"
    parsed = m3u8.loads(playlist.text)
    assert parsed.content_steering.uri == steer
    assert {each.stream_info.pathway_id for each in parsed.playlists} == set(names(session))

    manifest = await call("GET", session.dash_url)
    assert manifest.headers["Content-Type"] == "application/dash+xml"
    root = ET.fromstring(manifest.body)
    assert [base.get("serviceLocation") for base in root.iterfind("d:BaseURL", NS)] == names(session)
    assert root.find("d:ContentSteering", NS).text == steer


async def test_a_session_can_be_fetched_as_it_was_begun(bench):
    _, call = await bench.control()
    answer = await call("POST", "/v1/playback", request())
    again = await call("GET", answer.headers["Location"])
    assert again.body == answer.body


async def test_the_callers_own_address_is_asked_for_when_none_is_given(bench):
    _, call = await bench.control()
    await begin(call, client=None)
    assert bench.steering.queries[0].client == "127.0.0.1"


async def test_players_of_any_page_may_ask(bench):
    _, call = await bench.control()
    session = await begin(call)
    for path in (session.hls_url, session.dash_url, "/v1/titles", "/v1/playback/none"):
        assert (await call("GET", path)).headers["Access-Control-Allow-Origin"] == "*"
    asks = {"Origin": "http://page.test", "Access-Control-Request-Method": "PUT"}
    answer = await call("OPTIONS", "/v1/positions/ana/bunny", headers=asks)
    assert answer.status == 204
    assert "PUT" in answer.headers["Access-Control-Allow-Methods"]


async def test_playback_starts_on_the_last_known_decision_when_steering_is_dead(bench, publish):
    bench.origin.add(publish("sintel"))
    plane, call = await bench.control()
    await begin(call)
    await bench.steering.die()
    for fields in ({}, {"client": "10.1.2.99"}, {"title": "sintel"}, {"client": "172.16.0.1"}):
        session = await begin(call, **fields)
        assert names(session) == ["north-1", "north-2", "origin"]
        assert session.decision == "d1"
        assert "steering is silent" in session.pathways[0].reasons[0]
    assert (await call("GET", session.hls_url)).status == 200
    assert plane.meter.value("oca_control_steering_asked_total", outcome="failed") == 3
    assert plane.meter.value("oca_control_steering_asked_total", outcome="skipped") == 1


async def test_playback_starts_from_the_origin_when_steering_was_never_there(bench):
    await bench.steering.die()
    _, call = await bench.control()
    session = await begin(call)
    assert names(session) == ["origin"]
    assert session.pathways[0].url == bench.origin.url


async def test_a_steering_that_hangs_delays_the_start_by_its_time_limit_only(bench):
    bench.steering.held = asyncio.Event()
    _, call = await bench.control(steering_timeout=Seconds(0.05))
    session = await asyncio.wait_for(begin(call), 5)
    assert names(session) == ["origin"]
    bench.steering.held.set()


async def test_steering_is_asked_again_when_it_is_back(bench, until):
    clock = FakeClock()
    _, call = await bench.control(clock=clock)
    await bench.steering.die()
    for _ in range(4):
        await begin(call)
    await bench.steering.start()
    clock.advance(3)
    assert (await begin(call)).decision == "d1"


async def test_sessions_and_last_known_decisions_survive_a_restart(bench):
    plane, call = await bench.control()
    session = await begin(call)
    before = [(await call("GET", url)).body for url in (session.hls_url, session.dash_url)]
    await plane.stop()
    await bench.origin.die()
    await bench.steering.die()
    _, call = await bench.control(titles=False)
    paths = [f"/v1/playback/{session.id}/{name}" for name in ("master.m3u8", "manifest.mpd")]
    assert [(await call("GET", path)).body for path in paths] == before
    assert names(await begin(call)) == ["north-1", "north-2", "origin"]


async def test_a_session_ends_with_its_time(bench, until):
    clock = FakeClock()
    plane, call = await bench.control(clock=clock, session_ttl=Seconds(3600))
    session = await begin(call)
    clock.advance(3599)
    assert (await call("GET", session.hls_url)).status == 200
    clock.advance(2)
    answer = await call("GET", session.hls_url)
    assert answer.status == 404
    assert answer.json["type"] == "tag:oca,2026:no-such-session"
    clock.advance(100)
    await until(lambda: plane.meter.value("oca_control_sessions") == 0)


async def test_the_oldest_sessions_make_room_above_the_limit(bench, until):
    clock = FakeClock()
    settings = bench.settings()
    limits = msgspec.structs.replace(settings.limits, sessions=2)
    plane, call = await bench.control(clock=clock, limits=limits)
    sessions = []
    for _ in range(4):
        sessions.append(await begin(call))
        clock.advance(1)
    clock.advance(100)
    await until(lambda: plane.meter.value("oca_control_sessions") == 2)
    found = [(await call("GET", session.hls_url)).status for session in sessions]
    assert found == [404, 404, 200, 200]


async def test_a_title_published_anew_is_in_the_next_manifest(bench, publish, until):
    _, call = await bench.control()
    session = await begin(call)
    first = await call("GET", session.dash_url)
    bench.origin.add(publish("bunny", videos=((320, 180, 300_000),)))

    async def changed():
        return b'width="320"' in (await call("GET", session.dash_url)).body

    assert b'width="320"' not in first.body
    await until(changed)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{}", 400, "missing required field"),
        (b"not json", 400, "PlaybackRequest"),
        (b'{"title":"nothing","profile":"ana","device":"tv"}', 404, "no title nothing"),
        (b'{"title":"bunny","profile":"ana","device":"tv","client":"somewhere"}', 400, "client: 'somewhere'"),
        (b'{"title":"../etc","profile":"ana","device":"tv"}', 400, "title"),
        (b'{"x":"' + b"x" * 70_000 + b'"}', 413, ""),
    ],
)
async def test_a_request_that_cannot_be_met_is_answered_with_a_problem(bench, body, status, words):
    _, call = await bench.control()
    answer = await call("POST", "/v1/playback", body)
    assert answer.status == status
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert words in answer.json.get("detail", "")
