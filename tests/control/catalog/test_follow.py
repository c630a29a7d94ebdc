"""Following an origin over real sockets: what is new arrives, what lies does not, what was there stays."""

import io
import json

import pytest
import structlog

from control.kit import logs
from control.kit.quantity import Seconds
from control.wire import CatalogPage, RenditionIndex, Title, decode


@pytest.fixture
def logged():
    stream = io.StringIO()
    logs.configure(process="test", stream=stream)
    yield lambda event: [line for line in map(json.loads, stream.getvalue().splitlines()) if line["event"] == event]
    structlog.reset_defaults()


async def titles(call):
    return [title.id for title in decode((await call("GET", "/v1/titles?limit=1000")).body, CatalogPage).titles]


async def test_every_page_of_the_origins_titles_is_followed(bench, publish):
    bench.origin.add(*(publish(f"t{number}") for number in range(7)))
    _, call = await bench.control()
    assert await titles(call) == ["bunny", *(f"t{number}" for number in range(7))]


async def test_a_title_published_later_appears_and_its_indexes_are_fetched_once(bench, publish, until):
    plane, call = await bench.control()
    bench.origin.add(publish("later"))
    await until(lambda: plane.meter.value("oca_control_titles") == 2)
    synced = plane.meter.value("oca_control_catalog_synced_seconds")
    await until(lambda: plane.meter.value("oca_control_catalog_synced_seconds") > synced)
    assert sorted(bench.origin.asked) == sorted(
        (each.title.id, rendition) for each in bench.origin.published.values() for rendition in each.bodies
    )
    assert await titles(call) == ["bunny", "later"]


async def test_a_title_that_lies_about_sizes_is_refused_in_words_and_the_others_go_on(bench, publish, until, logged):
    bench.origin.add(publish("liar").changed(bytes=123), publish("zebra"))
    plane, call = await bench.control(titles=False)
    await until(lambda: plane.meter.value("oca_control_titles") == 2)
    assert await titles(call) == ["bunny", "zebra"]
    assert plane.meter.value("oca_control_titles_refused") == 1
    (line,) = logged("title_refused")
    assert line["title"] == "liar"
    assert line["reason"].endswith("the title says 123")
    assert (await call("GET", "/v1/titles/liar")).status == 404


async def test_an_index_whose_bytes_are_not_those_promised_is_refused(bench, publish, until):
    liar = publish("liar")
    rendition = liar.title.renditions[0].id
    liar.bodies[rendition] = liar.bodies[rendition].replace(b'"bytes":800', b'"bytes":801')
    bench.origin.add(liar)
    plane, call = await bench.control(titles=False)
    await until(lambda: plane.meter.value("oca_control_titles_refused") == 1)
    assert await titles(call) == ["bunny"]


async def test_a_refused_title_is_looked_at_again_later_and_at_once_when_it_changes(bench, publish, until):
    bench.origin.add(publish("liar").changed(bytes=123))
    plane, call = await bench.control(titles=False, refused_again=Seconds(0.1))
    await until(lambda: plane.meter.value("oca_control_title_refusals_total") >= 2)
    bench.origin.add(publish("liar"))
    await until(lambda: plane.meter.value("oca_control_titles") == 2)
    assert plane.meter.value("oca_control_titles_refused") == 0
    assert await titles(call) == ["bunny", "liar"]


async def test_the_good_version_stays_when_a_new_one_lies(bench, publish, until, logged):
    plane, call = await bench.control()
    bench.origin.add(publish("bunny", name="A lie").changed(objects=1))
    await until(lambda: plane.meter.value("oca_control_titles_refused") == 1)
    assert decode((await call("GET", "/v1/titles/bunny")).body, Title).name == "Big Buck Bunny"
    assert logged("title_refused")[0]["earlier_version_stays"] is True


async def test_an_index_that_cannot_be_fetched_now_is_fetched_in_a_later_round(bench, publish, until):
    late = publish("late")
    rendition = late.title.renditions[0].id
    bench.origin.broken["late", rendition] = 503
    bench.origin.add(late)
    plane, call = await bench.control(titles=False)
    await until(lambda: bench.origin.asked.count(("late", rendition)) >= 2)
    assert await titles(call) == ["bunny"]
    bench.origin.broken.clear()
    await until(lambda: plane.meter.value("oca_control_titles") == 2)


async def test_a_title_the_origin_withdraws_is_withdrawn(bench, publish, until):
    bench.origin.add(publish("gone"))
    plane, call = await bench.control()
    del bench.origin.published["gone"]
    await until(lambda: plane.meter.value("oca_control_titles") == 1)
    assert await titles(call) == ["bunny"]


async def test_an_origin_that_lost_its_store_takes_nothing_from_the_catalog(bench, until):
    plane, call = await bench.control()
    bench.origin.published.clear()
    await until(lambda: plane.meter.value("oca_control_titles_missing") == 1)
    assert await titles(call) == ["bunny"]


async def test_the_catalog_is_served_while_the_origin_is_dead_and_after_a_restart(bench, until):
    plane, call = await bench.control()
    await bench.origin.die()
    assert await titles(call) == ["bunny"]
    await plane.stop()
    plane, call = await bench.control(titles=False)
    assert await titles(call) == ["bunny"]
    assert (await call("GET", "/readyz")).status == 200
    await bench.origin.start()
    await until(lambda: plane.meter.value("oca_control_catalog_synced_seconds") > 0)


async def test_control_is_not_ready_before_it_has_seen_a_catalog(bench, until):
    await bench.origin.die()
    _, call = await bench.control(titles=False)
    answer = await call("GET", "/readyz")
    assert answer.status == 503
    assert bench.origin.url in answer.json["waiting_for"][0]

    async def ready():
        return (await call("GET", "/readyz")).status == 200

    await bench.origin.start()
    await until(ready)


async def test_the_indexes_of_a_title_are_served_as_the_origin_sent_them(bench):
    _, call = await bench.control()
    for rendition, body in bench.origin.published["bunny"].bodies.items():
        answer = await call("GET", f"/v1/titles/bunny/renditions/{rendition}")
        assert answer.body == body
        assert "immutable" in answer.headers["Cache-Control"]
        assert decode(answer.body, RenditionIndex).rendition == rendition
    assert (await call("GET", "/v1/titles/bunny/renditions/none")).status == 404
