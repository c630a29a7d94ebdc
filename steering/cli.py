"""`oca steering`, `oca fleet` and `oca explain`. What they print is in `tables.py`."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click
import msgspec
from rich.console import Console

from control.kit import lifecycle, logs
from control.kit.client import ServiceClient, ServiceError
from control.kit.clock import SystemClock
from control.kit.errors import Exit, UserError
from control.wire import SteeringDecision, decode
from steering import config, tables
from steering.app import Steering
from steering.report import Explanation, FleetView

T = TypeVar("T")

PIPED_WIDTH = 200
"""Columns of a table that goes to a pipe or a file, where nothing should be cut."""

_url = click.option(
    "--steering",
    "url",
    metavar="URL",
    envvar="OCA_STEERING",
    default="http://127.0.0.1:8202",
    show_default=True,
    show_envvar=True,
    help="The steering service to ask.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs instead of a table.")


@click.command()
@click.option("--config", "path", metavar="FILE", type=click.Path(path_type=Path), required=True, help="Its settings.")
@click.option("--check", is_flag=True, help="Only check the settings.")
def steering(path: Path, check: bool) -> int:
    """Run steering, which ranks appliances for players."""
    settings = config.load(path)
    if check:
        click.echo(f"{path}: OK")
        return Exit.OK
    logs.configure(process="steering")
    clock = SystemClock()
    return lifecycle.run(Steering(settings, clock=clock, rng=random.Random()))


@click.command()
@_url
@_json
def fleet(url: str, as_json: bool) -> int:
    """Show every appliance as steering sees it."""
    view = asyncio.run(_get(url, "/v1/fleet", FleetView, {}))
    _print(view, as_json, lambda: tables.fleet(view))
    return Exit.OK


@click.command()
@click.option("--client", metavar="ADDRESS", help="A player's address, v4 or v6.")
@click.option("--title", metavar="TITLE", help="The title it wants.")
@click.option("--session", metavar="ID", help="Its session, which decides whether a loaded appliance sheds it.")
@click.option("--decision", "decision_id", metavar="ID", help="Instead: a decision made lately, by its id.")
@_url
@_json
def explain(
    *, client: str | None, title: str | None, session: str | None, decision_id: str | None, url: str, as_json: bool
) -> int:
    """Explain why a client gets these appliances in this order.

    \b
    oca explain --client 192.0.2.7 --title bunny
    oca explain --decision d-5f1c0a9e7b21-42
    """  # noqa: D301 - \b is click's mark for lines that it must not join
    if decision_id is not None:
        found = asyncio.run(_decision(url, decision_id))
        _print(found, as_json, lambda: tables.decision(found))
        return Exit.OK
    if client is None or title is None:
        raise click.UsageError("Give --client and --title, or --decision.")
    query = {"client": client, "title": title} | ({"session": session} if session else {})
    explained = asyncio.run(_get(url, "/v1/explain", Explanation, query))
    _print(explained, as_json, lambda: tables.explanation(explained))
    return Exit.OK


async def _get(url: str, path: str, kind: type[T], params: dict[str, str]) -> T:
    async with ServiceClient("steering", url) as client:
        try:
            return await client.get(path, lambda body: msgspec.json.decode(body, type=kind), params=params)
        except ServiceError as error:
            if error.status == 400:
                raise UserError(str(error)) from error
            raise


async def _decision(url: str, decision_id: str) -> SteeringDecision:
    async with ServiceClient("steering", url) as client:
        try:
            return await client.get(f"/v1/decisions/{decision_id}", lambda body: decode(body, SteeringDecision))
        except ServiceError as error:
            if error.status == 404:
                raise UserError(f"steering at {url} remembers no decision {decision_id}") from error
            raise


def _print(value: msgspec.Struct, as_json: bool, render: Callable[[], tables.Lines]) -> None:
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(value)))
        return
    console = Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
    for line in render():
        console.print(line)
