"""`oca status`, `oca drain`, `oca evict`: an operator's commands, answered by a keeper's admin API."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import TypeVar

import click
import msgspec
from rich.console import Console
from rich.table import Table

from control.kit.client import ServiceClient, ServiceError
from control.kit.errors import UserError
from control.kit.quantity import human_bytes, human_rate
from oca.keeper.status import Status

T = TypeVar("T")

ADMIN = "http://127.0.0.1:8411"
ANSWER_LIMIT_S = 60.0
"""Evicting a title from slow disks takes its time."""
STYLES = {"ready": "bold green", "draining": "yellow", "starting": "yellow", "stopping": "red"}

admin_option = click.option(
    "--admin", default=ADMIN, show_default=True, help="Base URL of the keeper's admin API (`admin` in its file)."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")


class DrainAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What POST /v1/drain answers."""

    draining: bool
    state: str


class EvictedRow(msgspec.Struct, frozen=True, kw_only=True):
    """One rendition that was, or would be, removed."""

    rendition: str
    bytes: int


class EvictAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What POST /v1/evict answers."""

    evicted: list[EvictedRow]
    dry_run: bool


@click.command()
@admin_option
@json_option
def status(admin: str, *, as_json: bool) -> None:
    """Show one appliance: workers, disks, fill, what it holds."""
    found = asyncio.run(_ask(admin, "GET", "/v1/status", msgspec.json.Decoder(Status).decode))
    if as_json:
        _print_json(found)
    else:
        _show(found, Console())


@click.command()
@admin_option
@json_option
@click.option("--off", is_flag=True, help="Put the appliance back into steering.")
def drain(admin: str, *, as_json: bool, off: bool) -> None:
    """Take an appliance out of steering, or put it back (--off). What plays goes on playing."""
    decode = msgspec.json.Decoder(DrainAnswer).decode
    answer = asyncio.run(_ask(admin, "POST", "/v1/drain", decode, {"drain": not off}))
    if as_json:
        _print_json(answer)
    else:
        words = "drains: steering sends no new viewers" if answer.draining else "is back in steering"
        click.echo(f"The appliance {words} (state: {answer.state}).")


@click.command()
@admin_option
@json_option
@click.option("--rendition", help="Only this rendition of the title.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.argument("title")
def evict(admin: str, title: str, rendition: str | None, *, as_json: bool, dry_run: bool) -> None:
    """Remove TITLE from one appliance. The next plan that holds it brings it back."""
    wish = {"title": title, "rendition": rendition, "dry_run": dry_run}
    answer = asyncio.run(_ask(admin, "POST", "/v1/evict", msgspec.json.Decoder(EvictAnswer).decode, wish))
    if as_json:
        _print_json(answer)
        return
    for row in answer.evicted:
        click.echo(f"{row.rendition}  {human_bytes(row.bytes)}")
    total = human_bytes(sum(row.bytes for row in answer.evicted))
    click.echo(f"{'Would free' if answer.dry_run else 'Freed'} {total}.")


async def _ask(admin: str, method: str, path: str, decode: Callable[[bytes], T], wish: object = None) -> T:
    async with ServiceClient("keeper", admin, timeout_s=ANSWER_LIMIT_S) as client:
        try:
            if method == "GET":
                return await client.get(path, decode)
            return await client.post(path, msgspec.json.encode(wish), decode)
        except ServiceError as error:
            raise UserError(str(error)) from error


def _print_json(value: object) -> None:
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def _show(found: Status, console: Console) -> None:
    style = STYLES.get(found.state, "white")
    console.print(f"[bold]{found.appliance}[/bold] at {found.url}: [{style}]{found.state}[/{style}]", highlight=False)
    for words in found.waiting_for:
        console.print(f"  waits for {words}", style="yellow")
    load = f"{human_rate(found.egress_bps)} of {human_rate(found.capacity_bps)}"
    console.print(f"  serving {load}, {found.requests_per_s:.1f} requests/s, {found.connections} connections")
    held = f"{found.renditions} renditions, {found.objects} objects, {human_bytes(found.bytes)}"
    console.print(f"  holding {held}; {found.flights} objects on their way")
    console.print(f"  workers {len(found.workers)} of {found.workers_configured}", highlight=False)
    console.print(_disks(found))
    _show_fill(found, console)
    for words in (*found.left_alone, *(f"{name}: {why}" for name, why in found.reports_failing.items())):
        console.print(f"  ! {words}", style="yellow", highlight=False)


def _disks(found: Status) -> Table:
    table = Table("disk", "tier", "state", "used", "capacity", "reserve", "error")
    for disk in found.disks:
        sizes = (disk.used_bytes, disk.capacity_bytes, disk.reserve_bytes)
        table.add_row(disk.id, disk.tier, disk.state, *(human_bytes(size) for size in sizes), disk.error)
    return table


def _show_fill(found: Status, console: Console) -> None:
    fill = found.fill
    if fill is None:
        console.print("  no plan")
        return
    share = 100 * fill.bytes_done / fill.bytes_total if fill.bytes_total else 100.0
    console.print(
        f"  plan {fill.plan}: {fill.state}, {share:.0f} % of {human_bytes(fill.bytes_total)}", highlight=False
    )
    for source, size in sorted(fill.bytes_by_source.items()):
        console.print(f"    {human_bytes(size)} from {source}", highlight=False)
    for words in fill.errors:
        console.print(f"    ! {words}", style="yellow", highlight=False)
