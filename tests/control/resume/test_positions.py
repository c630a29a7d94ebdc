"""A viewer stops here and goes on there: over real sockets, and through the death of the process."""

import asyncio
import signal
import subprocess
import sys

import aiohttp
import msgspec

from control.kit.clock import FakeClock
from control.wire import PlaybackRequest, PlaybackSession, Position, decode


async def begin(call, device="tv"):
    request = PlaybackRequest(title="bunny", profile="ana", device=device, client="10.1.2.3")
    return decode((await call("POST", "/v1/playback", request)).body, PlaybackSession)


def position(session, sequence, ms, **fields):
    identity = session if isinstance(session, str) else session.id
    return Position(
        profile="ana", title="bunny", session=identity, sequence=sequence, position_ms=ms, at=1_700_000_000.0, **fields
    )


async def report(call, *args):
    answer = await call("PUT", "/v1/positions/ana/bunny", position(*args))
    assert answer.status == 200, answer.text
    return decode(answer.body, Position)


async def test_the_next_session_begins_where_the_last_one_stopped(bench):
    _, call = await bench.control()
    session = await begin(call)
    assert session.resume_ms == 0
    assert (await report(call, session, 1, 24_000)).position_ms == 24_000
    assert (await begin(call, "phone")).resume_ms == 24_000


async def test_positions_survive_a_restart(bench):
    plane, call = await bench.control()
    await report(call, await begin(call), 1, 24_000)
    await plane.stop()
    _, call = await bench.control()
    assert decode((await call("GET", "/v1/positions/ana/bunny")).body, Position).position_ms == 24_000
    assert (await begin(call)).resume_ms == 24_000


async def test_a_device_left_running_does_not_displace_the_one_in_use(bench):
    clock = FakeClock()
    _, call = await bench.control(clock=clock)
    tv = await begin(call)
    await report(call, tv, 1, 40_000)
    clock.advance(10)
    phone = await begin(call, "phone")
    await report(call, phone, 1, 12_000)
    assert (await report(call, tv, 2, 44_000)).session == phone.id
    clock.advance(121)
    assert (await report(call, tv, 3, 48_000)).session == tv.id
    assert (await begin(call)).resume_ms == 48_000


async def test_a_title_seen_to_its_end_begins_anew(bench):
    _, call = await bench.control()
    await report(call, await begin(call), 1, 59_000)
    assert (await begin(call)).resume_ms == 0


async def test_a_report_of_a_session_that_is_forgotten_still_counts(bench):
    _, call = await bench.control()
    await report(call, "p-forgotten", 1, 24_000)
    assert (await report(call, "p-forgotten", 2, 28_000)).position_ms == 28_000
    assert (await begin(call)).resume_ms == 28_000


async def test_a_report_must_be_about_its_url_its_title_and_its_session(bench, publish):
    bench.origin.add(publish("sintel"))
    _, call = await bench.control()
    session = await begin(call)
    good = position(session, 1, 1000)
    assert (await call("PUT", "/v1/positions/bob/bunny", good)).status == 400
    unknown = msgspec.structs.replace(good, title="nothing")
    assert (await call("PUT", "/v1/positions/ana/nothing", unknown)).status == 404
    another = msgspec.structs.replace(good, title="sintel")
    answer = await call("PUT", "/v1/positions/ana/sintel", another)
    assert (answer.status, answer.json["type"]) == (409, "tag:oca,2026:session-of-another")
    assert (await call("GET", "/v1/positions/ana/bunny")).status == 404


async def test_the_positions_not_heard_of_for_longest_make_room_above_the_limit(bench, until):
    clock = FakeClock()
    limits = msgspec.structs.replace(bench.settings().limits, positions=2)
    _, call = await bench.control(clock=clock, limits=limits)
    for profile in ("a", "b", "c", "d"):
        body = msgspec.structs.replace(position("p-x", 1, 1000), profile=profile)
        assert (await call("PUT", f"/v1/positions/{profile}/bunny", body)).status == 200
        clock.advance(1)
    clock.advance(100)

    async def kept():
        found = [(await call("GET", f"/v1/positions/{profile}/bunny")).status for profile in "abcd"]
        return found == [404, 404, 200, 200]

    await until(kept)


async def test_a_thousand_reports_at_once_are_all_durable(bench):
    plane, call = await bench.control()

    async def one(number):
        body = msgspec.structs.replace(position("p-x", 1, 1000), profile=f"viewer{number}")
        return (await call("PUT", f"/v1/positions/viewer{number}/bunny", body)).status

    assert set(await asyncio.gather(*(one(number) for number in range(1000)))) == {200}
    assert plane.meter.value("oca_control_positions_total") == 1000
    await plane.stop()
    _, call = await bench.control()
    assert (await call("GET", "/v1/positions/viewer999/bunny")).status == 200


async def test_kill_9_loses_no_position_that_was_acknowledged(bench, until, free_port):
    config = bench.directory / "control.yaml"
    url = f"http://127.0.0.1:{free_port()}"
    config.write_text(
        f"listen: {{port: {url.rpartition(':')[2]}}}\norigin_url: {bench.origin.url}\n"
        f"steering_url: {bench.steering.url}\ndatabase: {bench.directory / 'real.db'}\ncatalog_poll: 100ms\n"
    )

    async def call(method, path, body=None):
        data = None if body is None else msgspec.json.encode(body)
        async with bench.session.request(method, url + path, data=data) as answer:
            return answer.status, await answer.read()

    async def ready():
        try:
            return (await call("GET", "/readyz"))[0] == 200
        except aiohttp.ClientConnectionError:
            return False

    process = await started(config)
    try:
        await until(ready, within_s=20)
        acknowledged: dict[str, int] = {}

        async def viewer(profile):
            """Report until the process dies; remember what was acknowledged."""
            for sequence in range(1, 100_000):
                body = msgspec.structs.replace(position("p-x", sequence, min(sequence, 50_000)), profile=profile)
                try:
                    status, _ = await call("PUT", f"/v1/positions/{profile}/bunny", body)
                except aiohttp.ClientError:
                    return
                assert status == 200
                acknowledged[profile] = sequence

        viewers = [asyncio.ensure_future(viewer(f"v{number}")) for number in range(8)]
        await until(lambda: len(acknowledged) == 8 and min(acknowledged.values()) >= 20, within_s=20)
        process.send_signal(signal.SIGKILL)
        await asyncio.wait_for(asyncio.gather(*viewers), 20)
        await asyncio.wait_for(process.wait(), 10)
        process = await started(config)
        await until(ready, within_s=20)
        for profile, sequence in acknowledged.items():
            _, body = await call("GET", f"/v1/positions/{profile}/bunny")
            assert decode(body, Position).sequence >= sequence
    finally:
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0


async def started(config):
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from oca.cli import main; main()",
        "control",
        "--config",
        str(config),
        stderr=subprocess.DEVNULL,
    )
