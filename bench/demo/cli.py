"""`oca demo`: the whole system on this machine.

Options to `steps`, outcome to the screen or to JSON, and an end that leaves no process behind.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from pathlib import Path

import click
import msgspec
from rich.console import Console

from bench.demo.display import Display
from bench.demo.steps import Options, fleet_of, prepare, rejoin, stay, tell
from bench.demo.story import Outcome, broken_promises
from control.kit.errors import Exit, StorageError, UserError

CACHE = Path(".cache")
SOCKET_ROOM = 80
"""A run directory with a longer path leaves no room for an appliance's Unix socket below it (unix(7))."""


@click.command()
@click.option("--once", is_flag=True, help="End when the story is told instead of staying up.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with the figures on standard output.")
@click.option("--seconds", type=click.IntRange(12, 3600), help="Length of the title.")
@click.option(
    "--port-base", type=click.IntRange(1024, 65_000), help="First of the ports; default 8200, others where in use."
)
@click.option(
    "--run-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="New or empty directory for configurations, logs and disks; it is kept.",
)
@click.option("--keep", is_flag=True, help="Keep the directory with configurations, logs and disks.")
@click.option("--no-media-cache", is_flag=True, help="Make the title anew.")
def demo(
    *,
    once: bool,
    as_json: bool,
    seconds: int | None,
    port_base: int | None,
    run_dir: Path | None,
    keep: bool,
    no_media_cache: bool,
) -> int:
    """Run the whole system on real video, on this machine.

    Makes a title, starts origin, control, steering, fill and three appliances at two sites, fills them as in
    the night, plays, kills the appliance that serves, goes on without a stall, and resumes on another device.
    Then everything stays up for you to try until Ctrl-C. With --once the exit status tells whether the story held.
    """
    place = _new_place(run_dir)
    options = Options(
        run_dir=place,
        media_cache=place / "media" if no_media_cache else (CACHE / "media").absolute(),
        seconds=seconds,
        port_base=port_base,
    )
    console = Console(stderr=True, quiet=not sys.stderr.isatty()) if as_json else Console()
    keep = keep or run_dir is not None
    try:
        status = asyncio.run(_run(options, Display(console), once=once, as_json=as_json))
    except UserError:
        _tidy(place, keep=keep, failed=True)
        raise
    except (KeyboardInterrupt, asyncio.CancelledError):
        _tidy(place, keep=keep, failed=False)
        raise click.Abort from None
    _tidy(place, keep=keep, failed=status is not Exit.OK)
    if status is not Exit.OK:
        click.echo(f"oca: logs and configurations are in {place}", err=True)
    return int(status)


async def _run(options: Options, display: Display, *, once: bool, as_json: bool) -> Exit:
    me = asyncio.current_task()
    assert me is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel)
    title = await prepare(options, display)
    async with AsyncExitStack() as stack:
        with display.busy("starting everything"):
            fleet = await stack.enter_async_context(fleet_of(options, display))
        outcome = await fleet.guard(tell(fleet, title, display))
        broken = broken_promises(outcome)
        display.summary(outcome, broken)
        if as_json:
            _print_json(outcome, broken)
        if not once:
            await rejoin(fleet, outcome.failover.killed, display)
            await _until_interrupted(stay(fleet, title, display), me)
            display.chapter("Stopping", "appliances finish what they send, then end")
    return Exit.FAILED if broken else Exit.OK


def _print_json(outcome: Outcome, broken: list[str]) -> None:
    click.echo(msgspec.json.encode(outcome))
    for words in broken:
        click.echo(f"oca: broken: {words}", err=True)


async def _until_interrupted(staying: Awaitable[None], me: asyncio.Task[object]) -> None:
    """Ctrl-C and SIGTERM end the stay, and are no error."""
    try:
        await staying
    except asyncio.CancelledError:
        me.uncancel()


def _new_place(run_dir: Path | None) -> Path:
    if run_dir is not None:
        if run_dir.is_dir() and any(run_dir.iterdir()):
            raise StorageError(f"{run_dir}: is not empty; give --run-dir a new or empty directory")
        return run_dir.absolute()
    runs = (CACHE / "demo").absolute()
    _forget_dead_runs(runs)
    place = runs / f"run-{os.getpid()}"
    return place if len(os.fsencode(place)) <= SOCKET_ROOM else Path(tempfile.mkdtemp(prefix="oca-demo-"))


def _forget_dead_runs(runs: Path) -> None:
    """Remove what demos left that were killed themselves."""
    for place in runs.glob("run-*"):
        if not Path("/proc", place.name.removeprefix("run-")).exists():
            shutil.rmtree(place, ignore_errors=True)


def _tidy(place: Path, *, keep: bool, failed: bool) -> None:
    """Remove what a run leaves; after a failure keep what tells of it: logs and configurations."""
    if keep:
        return
    for directory in (*place.glob("*/d[0-9]"), place / "store", place / "media") if failed else (place,):
        shutil.rmtree(directory, ignore_errors=True)
