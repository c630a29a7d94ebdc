"""Real players in headless Chromium against the real processes: one fleet and one browser for all stories here."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright
from rich.console import Console

from bench.demo.display import Display
from bench.demo.fleet import Fleet
from bench.demo.steps import fill, meet
from bench.demo.title import make_title

FLAGS = (
    "--no-sandbox",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--mute-audio",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
)
LINE = {"offline": False, "latency": 40, "downloadThroughput": 10e6 / 8, "uploadThroughput": 10e6 / 8}
"""10 Mbit/s and 40 ms, in bytes per second and milliseconds as the DevTools protocol has them."""

FACTS = (
    "phase error session ttff_ms stalls stops served_by bytes_by moves segments resumed_ms current_time buffer_s "
    "steering"
).split()
READ_FACTS = "names => Object.fromEntries(names.map(name => [name, oca.state[name]]))"


class Viewer:
    """One page with one player, and what its page says of itself."""

    def __init__(self, page: Page, control: str) -> None:
        self.page = page
        self.control = control
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)

    async def open(self, **parameters: str) -> None:
        query = "&".join(f"{key}={value}" for key, value in parameters.items())
        await self.page.goto(f"{self.control}/?{query}")

    async def pause(self) -> None:
        await self.page.evaluate("() => document.querySelector('video').pause()")

    async def play(self) -> None:
        await self.page.evaluate("() => document.querySelector('video').play()")

    async def facts(self) -> dict[str, Any]:
        return await self.page.evaluate(
            "names => Object.fromEntries(names.map(name => [name, oca.state[name]]))", FACTS
        )

    async def until(self, holds: Callable[[dict[str, Any]], Any], *, limit_s: float = 20) -> dict[str, Any]:
        """The facts once they hold. Fails at once when the page reports an error of its player."""
        deadline = time.monotonic() + limit_s
        while not holds(facts := await self.facts()):
            assert not facts["error"], f"{facts}\n{self.complaints}"
            assert time.monotonic() < deadline, f"not so after {limit_s} s: {facts}\n{self.complaints}"
            await asyncio.sleep(0.1)
        return facts

    async def plays_to(self, position_s: float, *, not_from: str | None = None, limit_s: float = 30) -> dict[str, Any]:
        """The facts once the picture is past `position_s`, served by another than `not_from`."""
        return await self.until(
            lambda now: now["current_time"] > position_s and now["served_by"] != not_from, limit_s=limit_s
        )

    async def started(self) -> dict[str, Any]:
        return await self.until(lambda facts: facts["ttff_ms"] is not None and facts["served_by"])


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def fleet(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> AsyncIterator[Fleet]:
    """Every process of the demo, with the demo's title filled on all appliances."""
    root = tmp_path_factory.mktemp("fleet")
    silent = Display(Console(quiet=True))
    cache = Path(pytestconfig.rootpath) / ".cache" / "media"
    title = await make_title(store=root / "store", cache=cache, log=root / "ingest.log")
    async with Fleet(root, store=root / "store", port_base=0) as running:
        await running.guard(meet(running, title, silent))
        await running.guard(fill(running, title, silent))
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def desktop(chromium: Browser) -> AsyncIterator[BrowserContext]:
    """Small windows: four of them are painted by the processors that also decode and serve."""
    async with await chromium.new_context(viewport={"width": 640, "height": 480}) as context:
        yield context


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def viewer(fleet: Fleet, desktop: BrowserContext) -> AsyncIterator[Callable[[], Any]]:
    """Makes viewers on a line of 10 Mbit/s and 40 ms."""
    pages = []

    async def new() -> Viewer:
        page = await desktop.new_page()
        pages.append(page)
        devtools = await desktop.new_cdp_session(page)
        await devtools.send("Network.enable")
        await devtools.send("Network.emulateNetworkConditions", LINE)
        return Viewer(page, fleet.url("control"))

    yield new
    for page in pages:
        await page.close()
