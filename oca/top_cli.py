"""`oca top`: ask a keeper again and again and show what its workers and disks do."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

import click
import msgspec
from rich.console import Console, RenderableType
from rich.live import Live

from control.kit.client import ServiceClient
from control.kit.clock import Clock, SystemClock
from control.kit.errors import UnreachableError
from oca.keeper.status import Status
from oca.top import WINDOW_S, Reading, Watch
from oca.top_screen import screen

ADMIN = "http://127.0.0.1:8411"

_status = msgspec.json.Decoder(Status)


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """The appliance did not answer."""

    at: float
    unreachable: str
    """Why not."""


@click.command()
@click.option(
    "--admin", default=ADMIN, show_default=True, help="Base URL of the keeper's admin API (`admin` in its file)."
)
@click.option(
    "--interval", default=1.0, show_default=True, type=click.FloatRange(min=0.1), help="Seconds between two looks."
)
@click.option("--once", is_flag=True, help="Measure once and end.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line for every look.")
def top(admin: str, interval: float, *, once: bool, as_json: bool) -> None:
    """Watch one appliance live: requests, rate, hits, workers, disks. Ctrl-C ends it."""
    try:
        asyncio.run(_top(admin, interval, once=once, as_json=as_json))
    except KeyboardInterrupt:
        return


async def _top(admin: str, interval: float, *, once: bool, as_json: bool) -> None:
    clock = SystemClock()
    async with ServiceClient("keeper", admin) as client:
        if once:
            reading = await measured(client, interval, clock)
            _print_json(reading) if as_json else Console().print(screen(reading), highlight=False)
            return
        async with aclosing(looks(client, interval, clock)) as seen:
            if as_json:
                async for look in seen:
                    _print_json(look)
            else:
                await _show(seen, Console())


async def looks(client: ServiceClient, interval: float, clock: Clock) -> AsyncGenerator[Reading | Outage, None]:
    """What is seen every `interval` seconds, for ever.

    Raises UnreachableError when the appliance never answered; once it has, that is an Outage.
    """
    watch = Watch()
    while True:
        try:
            yield watch.take(await client.get("/v1/status", _status.decode))
        except UnreachableError as error:
            if not watch.begun:
                raise
            yield Outage(at=round(clock.now(), 1), unreachable=str(error))
        await clock.sleep(interval)


async def measured(client: ServiceClient, interval: float, clock: Clock) -> Reading:
    """One reading with the rates of every worker that reports. Raises UnreachableError."""
    watch = Watch()
    until = clock.monotonic() + max(interval, WINDOW_S)
    reading = watch.take(await client.get("/v1/status", _status.decode))
    while not reading.settled and clock.monotonic() < until:
        await clock.sleep(interval)
        reading = watch.take(await client.get("/v1/status", _status.decode))
    return reading


async def _show(seen: AsyncIterator[Reading | Outage], console: Console) -> None:
    """A screen that is drawn anew for a person at a terminal; one after the other into a file."""
    if not console.is_terminal:
        await _draw(seen, lambda shown: console.print(shown, highlight=False))
        return
    with Live(console=console, screen=True, auto_refresh=False) as live:
        await _draw(seen, lambda shown: live.update(shown, refresh=True))


async def _draw(seen: AsyncIterator[Reading | Outage], draw: Callable[[RenderableType], None]) -> None:
    last: Reading | None = None
    async for look in seen:
        last = look if isinstance(look, Reading) else last
        assert last is not None, "an outage before the first answer"
        draw(screen(last, look.unreachable if isinstance(look, Outage) else ""))


def _print_json(look: Reading | Outage) -> None:
    sys.stdout.write(msgspec.json.encode(look).decode() + "\n")
    sys.stdout.flush()
