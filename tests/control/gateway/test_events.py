"""What players report is kept to be shown, and counted."""

from control.wire import PlaybackEvent, PlaybackRequest, PlaybackSession, decode


def event(session, sequence, kind, **fields):
    return PlaybackEvent(session=session, sequence=sequence, at=1.0, kind=kind, **fields)


async def begin(call):
    request = PlaybackRequest(title="bunny", profile="ana", device="tv", client="10.1.2.3")
    return decode((await call("POST", "/v1/playback", request)).body, PlaybackSession).id


async def test_the_events_of_a_session_are_shown_in_order(bench):
    _, call = await bench.control()
    session = await begin(call)
    for each in (
        event(session, 1, "start", value=400, pathway="north-1"),
        event(session, 2, "failover", pathway="north-2", detail="north-1 died"),
        event(session, 2, "failover", pathway="north-2", detail="north-1 died"),
    ):
        assert (await call("POST", "/v1/events", each)).status == 204
    found = (await call("GET", f"/v1/playback/{session}/events")).json
    assert [(each["kind"], each["pathway"]) for each in found["events"]] == [
        ("start", "north-1"),
        ("failover", "north-2"),
    ]
    assert found["dropped"] == 0
    text = (await call("GET", "/metrics")).text
    assert 'oca_control_player_events_total{kind="failover"} 1.0' in text
    assert "oca_control_player_startup_seconds_sum 0.4" in text


async def test_events_of_no_session_are_refused(bench):
    _, call = await bench.control()
    assert (await call("POST", "/v1/events", event("p-none", 1, "start"))).status == 404
    assert (await call("GET", "/v1/playback/p-none/events")).status == 404
    assert (await call("POST", "/v1/events", b'{"kind":"party"}')).status == 400
