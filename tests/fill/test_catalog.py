"""Control's catalog: all of it, and what is known when control is away or wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from control.kit.client import ServiceClient
from control.kit.clock import FakeClock
from control.kit.errors import UnreachableError
from control.kit.metrics import Meter
from control.wire import CatalogPage, Title, encode
from fill.books import Books
from fill.catalog import RETRY_S, Catalog
from fill.metrics import METRICS

MakeTitle = Callable[..., Title]


@pytest.fixture
async def books(tmp_path: Path) -> AsyncIterator[Books]:
    opened = Books(tmp_path / "fill.db")
    yield opened
    await opened.close()


@pytest.fixture
async def asking(control: Any, books: Books) -> AsyncIterator[Callable[..., Catalog]]:
    client = ServiceClient("control", control.url, timeout_s=2.0)

    def make(clock: FakeClock | None = None, limit: int = 100) -> Catalog:
        return Catalog(client, books, clock=clock or FakeClock(), meter=Meter(METRICS), interval_s=30.0, limit=limit)

    yield make
    await client.close()


async def test_every_page_is_taken_and_kept_for_the_next_start(
    control: Any, asking: Callable[..., Catalog], title: MakeTitle
) -> None:
    control.titles, control.page_limit = [title(f"t{n}") for n in range(5)], 2
    catalog = asking()
    assert (catalog.version, catalog.titles) == (0, ())
    await catalog.poll()
    assert [each.id for each in catalog.titles] == [f"t{n}" for n in range(5)]
    assert catalog.find("t3") == title("t3")
    assert catalog.find("t9") is None
    await control.kill()
    again = asking()
    assert (again.version, again.titles) == (1, catalog.titles)
    with pytest.raises(UnreachableError, match=r"control at .* cannot be reached: connection refused"):
        await again.poll()
    assert again.titles == catalog.titles


async def test_an_unchanged_catalog_keeps_its_version_and_a_changed_one_does_not(
    control: Any, asking: Callable[..., Catalog], title: MakeTitle
) -> None:
    catalog = asking()
    await catalog.poll()
    assert (catalog.version, catalog.titles) == (1, ())
    control.titles = [title("t0")]
    await catalog.poll()
    await catalog.poll()
    assert catalog.version == 2
    control.titles = [title("t0", sizes=(5,))]
    await catalog.poll()
    assert catalog.version == 3


async def test_a_catalog_that_is_suddenly_empty_is_not_believed(
    control: Any, asking: Callable[..., Catalog], title: MakeTitle
) -> None:
    control.titles = [title("t0")]
    catalog = asking()
    await catalog.poll()
    control.titles = []
    with pytest.raises(UnreachableError, match="shows an empty catalog; keeping the 1 titles it had"):
        await catalog.poll()
    assert [each.id for each in catalog.titles] == ["t0"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>", "sent nonsense"),
        (b'{"titles": [{"id": "../etc"}]}', "sent nonsense"),
        (encode(CatalogPage(titles=(), next_after="x")), "goes in circles"),
    ],
)
async def test_nonsense_changes_nothing(control: Any, asking: Callable[..., Catalog], body: bytes, words: str) -> None:
    control.body = body
    catalog = asking()
    with pytest.raises(UnreachableError, match=words):
        await catalog.poll()
    assert catalog.version == 0
    assert words in catalog.error


async def test_more_titles_than_the_limit_are_refused(
    control: Any, asking: Callable[..., Catalog], title: MakeTitle
) -> None:
    control.titles = [title(f"t{n}") for n in range(3)]
    with pytest.raises(UnreachableError, match=r"more than 2 titles; raise limits\.titles"):
        await asking(limit=2).poll()


async def test_control_is_asked_each_interval_and_sooner_after_a_failure(
    control: Any, asking: Callable[..., Catalog]
) -> None:
    clock = FakeClock()
    catalog = asking(clock)
    for _ in range(3):
        await catalog.tick()
    assert control.asked == 1
    clock.advance(30)
    control.body = b"nonsense"
    await catalog.tick()
    assert (control.asked, bool(catalog.error)) == (2, True)
    clock.advance(RETRY_S)
    control.body = None
    await catalog.tick()
    assert (control.asked, catalog.error) == (3, "")
