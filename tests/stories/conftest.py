"""A title made once and a filled fleet of real processes, for the stories."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from rich.console import Console

from bench.demo.display import Display
from bench.demo.fleet import Fleet
from bench.demo.steps import fill, meet
from bench.demo.title import make_title, published
from control.wire import Title

SECONDS = 24
MEDIA_CACHE = Path(".cache/media").absolute()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An origin's store with the title in it. Whoever runs an origin on it leaves it as it is."""
    root = tmp_path_factory.mktemp("title")
    await make_title(store=root / "store", cache=MEDIA_CACHE, log=root / "ingest.log", seconds=SECONDS)
    return root / "store"


@pytest.fixture(scope="session")
def title(store: Path) -> Title:
    return published(store)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def fleet(tmp_path_factory: pytest.TempPathFactory, store: Path, title: Title) -> AsyncIterator[Fleet]:
    """Every process is up, and every appliance holds the title."""
    quiet = Display(Console(quiet=True))
    async with Fleet(tmp_path_factory.mktemp("fleet"), store=store, port_base=0) as fleet:
        await meet(fleet, title, quiet)
        await fill(fleet, title, quiet)
        yield fleet


@pytest.fixture
def until() -> Callable[..., Awaitable[None]]:
    """Polls a condition until it holds, within a limit."""

    async def until(holds: Callable[[], object], *, limit_s: float = 20.0) -> None:
        deadline = asyncio.get_running_loop().time() + limit_s
        while not holds():
            assert asyncio.get_running_loop().time() < deadline, f"not so after {limit_s:g} s"
            await asyncio.sleep(0.05)

    return until


@pytest.fixture
def processes_of() -> Callable[[Path], dict[int, str]]:
    """Living processes whose command line names a directory."""

    def named(directory: Path) -> dict[int, str]:
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            with contextlib.suppress(OSError):
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if str(directory) in line and state not in "ZX":
                    found[int(entry.name)] = line
        return found

    return named
