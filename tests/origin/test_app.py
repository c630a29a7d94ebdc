from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from control.kit.clock import SystemClock
from control.kit.errors import AddressError, StorageError
from control.kit.settings import Listen
from control.wire import CatalogPage, RenditionIndex, Title, decode
from origin.app import Origin
from origin.config import OriginSettings

Fill = Callable[..., list[Title]]
OriginOf = Callable[..., Awaitable[Any]]
KEY = "/s/a/v1p-00000000/00001.m4s"


@pytest.fixture
async def client(tmp_path: Path, fill_store: Fill, origin_of: OriginOf) -> Any:
    fill_store("a", "b")
    return await origin_of(tmp_path / "store")


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - a counter has no event
            await asyncio.sleep(0.01)


async def test_an_object_comes_whole_with_what_caches_and_players_need(client: Any, tmp_path: Path) -> None:
    status, headers, body = await client.ask(KEY)
    assert (status, body) == (200, (tmp_path / "store/segments" / KEY[3:]).read_bytes())
    assert headers["ETag"] == '"v1p-00000000/00001.m4s"'
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert (headers["Content-Type"], headers["Accept-Ranges"]) == ("video/mp4", "bytes")
    assert (headers["Access-Control-Allow-Origin"], headers["Timing-Allow-Origin"]) == ("*", "*")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("init.mp4", "video/mp4"), ("media.m3u8", "application/vnd.apple.mpegurl"), ("index.json", "application/json")],
)
async def test_every_kind_of_object_has_its_content_type(client: Any, name: str, kind: str) -> None:
    assert (await client.ask(f"/s/a/v1p-00000000/{name}"))[1]["Content-Type"] == kind


async def test_the_index_beside_the_objects_lists_them(client: Any) -> None:
    index = decode((await client.ask("/s/a/v1p-00000000/index.json"))[2], RenditionIndex)
    for stored in index.objects:
        assert len((await client.ask(f"/s/a/v1p-00000000/{stored.name}"))[2]) == stored.bytes


async def test_a_range_comes_as_a_part_and_a_wrong_one_tells_the_size(client: Any) -> None:
    whole = (await client.ask(KEY))[2]
    status, headers, body = await client.ask(KEY, Range="bytes=100-199")
    assert (status, headers["Content-Range"], body) == (206, "bytes 100-199/5000", whole[100:200])
    status, headers, _ = await client.ask(KEY, Range="bytes=5000-")
    assert (status, headers["Content-Range"], headers["Cache-Control"]) == (416, "bytes */5000", "no-store")


async def test_head_tells_everything_but_the_body(client: Any) -> None:
    status, headers, body = await client.ask(KEY, "HEAD")
    assert (status, headers["Content-Length"], body) == (200, "5000", b"")
    assert client.service.meter.value("oca_origin_bytes_total", title="a", requester="player") == 0


async def test_a_client_that_has_the_object_is_told_so(client: Any) -> None:
    status, headers, body = await client.ask(KEY, If_None_Match='"v1p-00000000/00001.m4s"')
    assert (status, body, headers["ETag"]) == (304, b"", '"v1p-00000000/00001.m4s"')
    assert (await client.ask(KEY, If_Match='"other"'))[0] == 412


@pytest.mark.parametrize(
    "path",
    [
        "/s/a/v1p-00000000/00009.m4s",
        "/s/a/none/init.mp4",
        "/s/none/v1p-00000000/init.mp4",
        "/s/a/v1p-00000000/..%2f..%2f..%2ftitles%2fa.json",
        "/s/%2e%2e/titles/a.json",
        "/s/a/v1p-00000000/.new-x",
        "/s/a/v1p-00000000/%00",
    ],
)
async def test_what_is_not_an_object_is_a_404_problem(client: Any, path: str) -> None:
    async with client.session.get(aiohttp.client.URL(client.url + path, encoded=True)) as answer:
        assert (answer.status, answer.content_type) == (404, "application/problem+json")
        assert answer.headers["Cache-Control"] == "no-store"


async def test_bytes_are_counted_by_title_and_by_who_asked(client: Any) -> None:
    await client.ask(KEY)
    await client.ask(KEY, CDN_Loop="north-1")
    await client.ask(KEY, CDN_Loop="north-1", Range="bytes=0-9")
    meter = client.service.meter
    await until(lambda: meter.value("oca_origin_bytes_total", title="a", requester="appliance") == 5010)
    assert meter.value("oca_origin_bytes_total", title="a", requester="player") == 5000
    assert meter.value("oca_origin_objects_total", title="a", requester="appliance") == 2
    assert b'oca_origin_bytes_total{requester="appliance",title="a"} 5010.0' in (await client.ask("/metrics"))[2]


async def test_the_catalog_comes_in_pages_and_can_be_revalidated(client: Any) -> None:
    status, headers, body = await client.ask("/v1/titles?limit=1")
    page = decode(body, CatalogPage)
    assert (status, [title.id for title in page.titles], page.next_after) == (200, ["a"], "a")
    rest = decode((await client.ask("/v1/titles?after=a"))[2], CatalogPage)
    assert ([title.id for title in rest.titles], rest.next_after) == (["b"], None)
    assert (await client.ask("/v1/titles?limit=1", If_None_Match=headers["ETag"]))[0] == 304


async def test_one_title_can_be_asked_for_and_revalidated(client: Any, fill_store: Fill) -> None:
    _, headers, body = await client.ask("/v1/titles/a")
    assert decode(body, Title).id == "a"
    assert headers["Cache-Control"] == "no-cache"
    assert (await client.ask("/v1/titles/a", If_None_Match=headers["ETag"]))[0] == 304
    assert (await client.ask("/v1/titles/none"))[0] == 404


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=x", "limit=99999999999", "after=%2e%2e", "limit="])
async def test_a_wrong_query_is_a_400_problem(client: Any, query: str) -> None:
    status, _, body = await client.ask(f"/v1/titles?{query}")
    assert (status, msgspec.json.decode(body)["title"]) == (400, "Bad query")


async def test_titles_published_while_we_run_are_served(client: Any, fill_store: Fill) -> None:
    fill_store("c")
    assert (await client.ask("/v1/titles/c"))[0] == 200
    assert (await client.ask("/s/c/v1p-00000000/init.mp4"))[0] == 200


async def test_a_store_that_disappears_is_a_503_problem_until_it_is_back(client: Any, tmp_path: Path) -> None:
    (tmp_path / "store").rename(tmp_path / "elsewhere")
    for path in (KEY, "/v1/titles", "/v1/titles/a"):
        status, headers, body = await client.ask(path)
        assert (status, headers["Content-Type"]) == (503, "application/problem+json")
        assert "no such directory" in msgspec.json.decode(body)["detail"]
    assert (await client.ask("/readyz"))[0] == 503
    assert (await client.ask("/healthz"))[0] == 200
    (tmp_path / "elsewhere").rename(tmp_path / "store")
    assert (await client.ask(KEY))[0] == 200
    assert (await client.ask("/readyz"))[0] == 200


async def test_a_damaged_title_is_counted_and_the_rest_of_the_catalog_is_served(client: Any, tmp_path: Path) -> None:
    (tmp_path / "store/titles/a.json").write_text("not JSON")
    page = decode((await client.ask("/v1/titles"))[2], CatalogPage)
    assert [title.id for title in page.titles] == ["b"]
    assert client.service.meter.value("oca_origin_titles_unreadable") == 1
    assert (await client.ask("/v1/titles/a"))[0] == 503


async def test_many_clients_get_their_own_bytes(tmp_path: Path, fill_store: Fill, origin_of: OriginOf) -> None:
    fill_store("a", sizes=(3_000_000,))
    client = await origin_of(tmp_path / "store")
    data = (tmp_path / "store/segments" / KEY[3:]).read_bytes()
    cuts = [(start, start + 600_000) for start in range(0, 2_400_000, 150_000)]
    parts = await asyncio.gather(*(client.ask(KEY, Range=f"bytes={first}-{last}") for first, last in cuts))
    assert [body for _, _, body in parts] == [data[first : last + 1] for first, last in cuts]


async def test_a_file_that_loses_its_end_while_it_is_sent_never_looks_whole(
    tmp_path: Path, fill_store: Fill, origin_of: OriginOf
) -> None:
    fill_store("a")
    path = tmp_path / "store/segments" / KEY[3:]
    os.truncate(path, 64 * 1024 * 1024)
    client = await origin_of(tmp_path / "store")
    async with client.session.get(client.url + KEY) as answer:
        assert answer.status == 200
        await answer.content.readexactly(1000)
        os.truncate(path, 2000)
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()
    assert client.service.meter.value("oca_origin_cut_off_total", cause="storage") == 1


async def test_a_client_that_takes_nothing_is_disconnected(
    tmp_path: Path, fill_store: Fill, origin_of: OriginOf
) -> None:
    fill_store("a")
    os.truncate(tmp_path / "store/segments" / KEY[3:], 64 * 1024 * 1024)
    client = await origin_of(tmp_path / "store", stall_s=0.2)
    _, writer = await asyncio.open_connection("127.0.0.1", client.service.port, limit=1024)
    writer.write(f"GET {KEY} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    await until(lambda: client.service.meter.value("oca_origin_cut_off_total", cause="stalled") == 1)
    writer.close()


async def test_a_client_that_leaves_is_counted_and_costs_nothing_more(
    tmp_path: Path, fill_store: Fill, origin_of: OriginOf
) -> None:
    fill_store("a")
    os.truncate(tmp_path / "store/segments" / KEY[3:], 64 * 1024 * 1024)
    client = await origin_of(tmp_path / "store")
    async with client.session.get(client.url + KEY) as answer:
        await answer.content.readexactly(1000)
        answer.close()
    await until(lambda: client.service.meter.value("oca_origin_cut_off_total", cause="client") == 1)
    assert (await client.ask("/healthz"))[0] == 200


async def test_a_store_that_is_missing_at_the_start_is_a_storage_error(tmp_path: Path) -> None:
    service = Origin(OriginSettings(listen=Listen(), store=tmp_path / "none"), clock=SystemClock())
    with pytest.raises(StorageError, match="no such directory"):
        await service.start()
    await service.stop()


async def test_a_port_in_use_is_told_before_anything_else(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = Listen(port=taken.getsockname()[1])
        service = Origin(OriginSettings(listen=listen, store=tmp_path / "none"), clock=SystemClock())
        with pytest.raises(AddressError, match="in use"):
            await service.start()
        await service.stop()


async def test_draining_finishes_what_is_in_flight(tmp_path: Path, fill_store: Fill, origin_of: OriginOf) -> None:
    fill_store("a")
    os.truncate(tmp_path / "store/segments" / KEY[3:], 16 * 1024 * 1024)
    client = await origin_of(tmp_path / "store")
    async with client.session.get(client.url + KEY) as answer:
        await answer.content.readexactly(1000)
        draining = asyncio.ensure_future(client.service.drain())
        assert len(await answer.read()) == 16 * 1024 * 1024 - 1000
    await draining
