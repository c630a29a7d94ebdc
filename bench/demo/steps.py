"""The demo from beginning to end, as a short list of steps. The first function is the table of contents."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
from rich.markup import escape

from bench.demo.display import Display
from bench.demo.filling import Filled, fill_tonight
from bench.demo.fleet import Fleet
from bench.demo.layout import APPLIANCES, CLUSTERS, SERVICES
from bench.demo.observing import VIEWER, cataloged, holding, joined
from bench.demo.script import script_for
from bench.demo.story import Failover, Outcome, Resume, offload
from bench.demo.title import make_title, require_space
from bench.demo.watching import Evening, resume_elsewhere, watch_with_a_death
from bench.player.result import PlayerResult
from control.kit.errors import StorageError
from control.kit.quantity import human_bytes
from control.wire import Title


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asks for. `seconds`: length of the title, None for ingest's own."""

    run_dir: Path
    media_cache: Path
    seconds: int | None = None
    port_base: int | None = None


async def prepare(options: Options, display: Display) -> Title:
    """Make the run directory and the title in it."""
    try:
        options.run_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{options.run_dir}: cannot be made: {error.strerror}") from error
    require_space(options.run_dir)
    display.chapter("The title", "encoded once, then taken from .cache/media")
    with display.busy("encoding, packaging, publishing; the first time takes a while"):
        title = await make_title(
            store=options.run_dir / "store",
            cache=options.media_cache,
            log=options.run_dir / "ingest.log",
            seconds=options.seconds,
        )
    size = human_bytes(title.bytes)
    display.line(f"{title.name}: {title.duration_ms / 1000:.0f} s, {len(title.renditions)} renditions, {size}")
    return title


def fleet_of(options: Options, display: Display) -> Fleet:
    """The fleet of these options, about to be started."""
    display.chapter("The fleet", f"{len(SERVICES)} services and {len(APPLIANCES)} appliances at 2 sites")
    return Fleet(
        options.run_dir,
        store=options.run_dir / "store",
        port_base=options.port_base,
        on_failure=lambda words: display.line(f"[red]{escape(words)}[/]"),
    )


async def tell(fleet: Fleet, title: Title, display: Display) -> Outcome:
    """The story, on a fleet that has just become ready."""
    await meet(fleet, title, display)
    filled = await fill(fleet, title, display)
    evening = await watch(fleet, title, display)
    later = await resume(fleet, title, display)
    return figures(title, filled, evening, later)


async def meet(fleet: Fleet, title: Title, display: Display) -> None:
    """Wait until control knows the title and steering the appliances."""
    await cataloged(fleet, title.id)
    await joined(fleet, [appliance.name for appliance in APPLIANCES])
    for appliance in APPLIANCES:
        display.line(f"{appliance.name} at {fleet.url(appliance.name)}, cluster {appliance.cluster}")


async def fill(fleet: Fleet, title: Title, display: Display) -> Filled:
    """Fill tonight's plan now, and wait until steering knows who holds the title."""
    display.chapter("Tonight's fill", "once per cluster from the origin, then from peers")
    filled = await fill_tonight(fleet, title, display)
    await holding(fleet, title.id, [appliance.name for appliance in APPLIANCES])
    return filled


async def watch(fleet: Fleet, title: Title, display: Display) -> Evening:
    """Play, and lose the appliance in mid-play."""
    display.chapter("The evening", "a viewer plays, and the appliance that serves dies")
    return await watch_with_a_death(fleet, title, script_for(title.duration_ms), display)


async def resume(fleet: Fleet, title: Title, display: Display) -> PlayerResult:
    """Go on on another device."""
    display.chapter("Another device", "the same viewer goes on, over DASH")
    return await resume_elsewhere(fleet, title, script_for(title.duration_ms), display)


def figures(title: Title, filled: Filled, evening: Evening, later: PlayerResult) -> Outcome:
    """What all of it came to."""
    first = evening.result
    bytes_by = dict(first.bytes_by_pathway)
    for name, count in later.bytes_by_pathway.items():
        bytes_by[name] = bytes_by.get(name, 0) + count
    return Outcome(
        title=title.id,
        ttfs_ms=round(first.ttfs_ms or 0),
        stalls=first.stalls + later.stalls,
        bytes_by=bytes_by,
        origin_bytes_filled=filled.from_origin,
        origin_bytes_sent=filled.origin_sent,
        unique_bytes=title.bytes,
        clusters=CLUSTERS,
        offload=offload(bytes_by),
        failover=Failover(killed=evening.killed, to=evening.to, stalls=evening.stalls_after),
        resume=Resume(stopped_at_ms=first.position_ms, resumed_at_ms=later.resume_ms),
    )


async def rejoin(fleet: Fleet, appliance: str, display: Display) -> None:
    """Start the killed appliance again and wait until steering sends viewers to it."""
    display.chapter("The dead appliance comes back")
    await fleet.start(appliance)
    await joined(fleet, [appliance])
    display.line(f"[green]{appliance}[/] serves again, with all that its disks held")


async def stay(fleet: Fleet, title: Title, display: Display) -> None:
    """Say what can be tried, and keep everything running until cancelled."""
    display.chapter("Your turn", "everything runs until Ctrl-C")
    control, steering = fleet.url("control"), fleet.url("steering")
    first = APPLIANCES[0].name
    for what, how in (
        ("watch in a browser", f"{control}/"),
        ("watch here", f"oca play --control {control}"),
        ("see the fleet", f"oca fleet --steering {steering}"),
        ("ask why", f"oca explain --steering {steering} --client {VIEWER} --title {title.id}"),
        ("see an appliance", f"oca status --admin {fleet.admin_url(first)}"),
        ("take it out", f"oca drain --admin {fleet.admin_url(first)}"),
        ("read the logs", f"{fleet.log(first)}"),
    ):
        display.line(f"[dim]{what:>18}[/]  {how}")
    await asyncio.Event().wait()
