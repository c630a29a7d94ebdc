"""The catalog as clients read it."""

import pytest

from control.wire import CatalogPage, Title, decode


async def test_titles_come_in_pages_that_join_without_a_gap(bench, publish):
    bench.origin.add(*(publish(f"t{number}") for number in range(6)))
    _, call = await bench.control()
    found, after, pages = [], "", 0
    while after is not None:
        page = decode((await call("GET", f"/v1/titles?limit=3&after={after}")).body, CatalogPage)
        found += [title.id for title in page.titles]
        after, pages = page.next_after, pages + 1
    assert found == sorted(bench.origin.published)
    assert pages == 3


async def test_a_title_known_is_not_sent_again(bench):
    _, call = await bench.control()
    first = await call("GET", "/v1/titles/bunny")
    assert decode(first.body, Title) == bench.origin.published["bunny"].title
    again = await call("GET", "/v1/titles/bunny", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "limit=-1", "limit=%C2%B2", "after=../x"])
async def test_a_page_that_cannot_be_is_refused(bench, query):
    _, call = await bench.control()
    assert (await call("GET", f"/v1/titles?{query}")).status == 400


async def test_what_is_not_there_is_a_problem(bench):
    _, call = await bench.control()
    for path in ("/v1/titles/none", "/v1/titles/bunny/renditions/none", "/v1/nowhere"):
        answer = await call("GET", path)
        assert answer.status == 404
        assert answer.headers["Content-Type"].startswith("application/problem+json")
