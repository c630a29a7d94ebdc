"""`oca fill` and `oca plan`. What they print is in `tables.py`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlencode

import click
import msgspec
from rich.console import Console

from control.kit import lifecycle, logs
from control.kit.client import ServiceClient, ServiceError
from control.kit.clock import SystemClock
from control.kit.errors import Exit, UserError
from control.wire import FillPlan, decode, is_name
from fill import config, tables
from fill.app import Fill
from fill.explain import TitleWhy
from fill.progress import FillStatus
from fill.rounds import Round

T = TypeVar("T")

PIPED_WIDTH = 200
"""Columns of a table that goes to a pipe or a file, where nothing should be cut."""
MAKE_TIMEOUT_S = 600.0
"""A round over a large fleet takes minutes."""


@click.command()
@click.option("--config", "path", metavar="FILE", type=click.Path(path_type=Path), required=True, help="Its settings.")
@click.option("--check", is_flag=True, help="Only check the settings.")
def fill(path: Path, check: bool) -> int:
    """Run the fill planner, which decides who holds what."""
    settings = config.load(path)
    if check:
        click.echo(f"{path}: OK")
        return Exit.OK
    logs.configure(process="fill")
    return lifecycle.run(Fill(settings, clock=SystemClock()))


@click.command()
@click.option("--make", is_flag=True, help="Make plans now instead of waiting for the interval.")
@click.option("--dry-run", is_flag=True, help="With --make: only show what would be made.")
@click.option("--appliance", metavar="NAME", help="Show this appliance's whole plan.")
@click.option("--title", metavar="TITLE", help="Explain where this title is planned, and why.")
@click.option(
    "--fill",
    "url",
    metavar="URL",
    envvar="OCA_FILL",
    default="http://127.0.0.1:8203",
    show_default=True,
    show_envvar=True,
    help="The planner to ask.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs instead of a table.")
def plan(*, make: bool, dry_run: bool, appliance: str | None, title: str | None, url: str, as_json: bool) -> int:
    """Show tonight's plan, or make a new one.

    \b
    oca plan                                every appliance's plan and progress
    oca plan --appliance north-1            one whole plan, with the reason of every line
    oca plan --title bunny                  why a title is planned here and not there
    oca plan --make --dry-run               what a new plan would change
    """  # noqa: D301 - \b is click's mark for lines that it must not join
    if dry_run and not make:
        raise click.UsageError("--dry-run goes with --make.")
    if make and title:
        raise click.UsageError("--make plans for all titles; use --title without it.")
    for name, value in (("--appliance", appliance), ("--title", title)):
        if value is not None and not is_name(value):
            raise click.UsageError(f"{name}: {value!r} is not a name.")
    asyncio.run(_plan(make, dry_run, appliance, title, _Screen(url, as_json)))
    return Exit.OK


class _Screen:
    """Where to ask and how to print."""

    def __init__(self, url: str, as_json: bool) -> None:
        self.url = url
        self._as_json = as_json

    def show(self, value: msgspec.Struct, lines: Callable[[], tables.Lines]) -> None:
        """Print `value` as JSON, or as the lines made of it."""
        if self._as_json:
            click.echo(msgspec.json.format(msgspec.json.encode(value)))
            return
        console = Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
        for line in lines():
            console.print(line)


async def _plan(make: bool, dry_run: bool, appliance: str | None, title: str | None, screen: _Screen) -> None:
    timeout_s = MAKE_TIMEOUT_S if make or title else 10.0
    async with ServiceClient("fill", screen.url, timeout_s=timeout_s) as client:
        if make:
            await _make(client, dry_run, appliance, screen)
        elif title is not None:
            query = {"title": title} | ({"appliance": appliance} if appliance else {})
            found = await _asked(client.get("/v1/explain", _decoder(TitleWhy), params=query))
            screen.show(found, lambda: tables.why(found))
        elif appliance is not None:
            whole = await _asked(client.get(f"/v1/plans/{appliance}", lambda body: decode(body, FillPlan)))
            screen.show(whole, lambda: tables.plan(whole, SystemClock().now()))
        else:
            status = await client.get("/v1/status", _decoder(FillStatus))
            screen.show(status, lambda: tables.status(status))


async def _make(client: ServiceClient, dry_run: bool, appliance: str | None, screen: _Screen) -> None:
    query = {"dry_run": "1" if dry_run else "0"} | ({"appliance": appliance} if appliance else {})
    made = await client.post(f"/v1/plans?{urlencode(query)}", b"", _decoder(Round))
    whole = next(iter(made.full), None)
    if appliance is not None and whole is None:
        waits = "; ".join(made.waiting_for) or "its first heartbeat"
        raise UserError(f"no plan can be made for {appliance}; waiting for {waits}")
    screen.show(made, lambda: tables.made(made) if whole is None else tables.plan(whole, made.at))


def _decoder(kind: type[T]) -> Callable[[bytes], T]:
    return lambda body: msgspec.json.decode(body, type=kind)


async def _asked(answer: Awaitable[T]) -> T:
    """What was asked for; an answer that it is not there is the operator's to mend, not a failure to reach us."""
    try:
        return await answer
    except ServiceError as error:
        if error.status in (400, 404):
            raise UserError(str(error)) from error
        raise
