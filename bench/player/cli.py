"""`oca play`: watch a title with the headless player, and see how it went.

Argument handling and wiring only.
"""

from __future__ import annotations

import asyncio
import signal
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial

import click
import msgspec
import uvloop
from rich.console import Console
from rich.live import Live

from bench.player import display
from bench.player.events import PlayerEvent
from bench.player.play import PlaybackError
from bench.player.presentation import Format
from bench.player.result import PlayerResult
from bench.player.session import Player
from control.kit.client import ServiceClient
from control.kit.errors import Exit, UserError
from control.kit.quantity import Seconds
from control.wire import CatalogPage, decode, is_name


class _Duration(click.ParamType[float]):
    """A duration such as `20s`, in seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return float(Seconds.parse(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _name(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not is_name(value):
        raise click.BadParameter(f"{value!r} is no name; letters, digits, dot, dash and underscore make one")
    return value


@click.command()
@click.option("--control", "control_url", default="http://127.0.0.1:8201", show_default=True, help="URL of control.")
@click.option("--title", callback=_name, help="Title to play; without it, the first in the catalog.")
@click.option("--profile", default="guest", show_default=True, callback=_name, help="Whose position to resume.")
@click.option("--device", default="terminal", show_default=True, callback=_name, help="The device's name.")
@click.option("--format", "kind", type=click.Choice(["hls", "dash"]), default="hls", show_default=True)
@click.option("--client", default=None, help="Client address to be steered as, instead of this machine's.")
@click.option("--for", "length_s", type=_Duration(), default=None, help="How long to play; without it, to the end.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, with every request.")
@click.pass_context
def play(
    ctx: click.Context,
    *,
    control_url: str,
    title: str | None,
    profile: str,
    device: str,
    kind: Format,
    client: str | None,
    length_s: float | None,
    as_json: bool,
) -> None:
    """Play a title with the built-in headless player.

    It starts where the profile stopped, fetches real segments from the appliances that steering names, fails
    over when one dies, and saves the position at the end. Media is counted, not decoded.

    Exit status 1 when play failed or stalled out, 6 when control cannot be reached.
    """

    def player(title: str, on_event: Callable[[PlayerEvent], None]) -> Player:
        return Player(
            control_url=control_url,
            title=title,
            profile=profile,
            device=device,
            format=kind,
            client=client,
            on_event=on_event,
        )

    result, interrupted = uvloop.run(_watch(player, control_url, title, length_s, quiet=as_json))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(result)).decode())
    else:
        Console().print(display.summary(result))
    ctx.exit(Exit.FAILED if result.outcome == "failed" else Exit.INTERRUPTED if interrupted else Exit.OK)


async def _watch(
    make: Callable[[str, Callable[[PlayerEvent], None]], Player],
    control_url: str,
    title: str | None,
    length_s: float | None,
    *,
    quiet: bool,
) -> tuple[PlayerResult, bool]:
    """Play until the end, the wanted length or a signal. The result, and whether it was a signal."""
    interrupted = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, interrupted.set)
    screen = _Screen(quiet=quiet)
    player = make(title or await _first_title(control_url), screen.hear)
    try:
        with screen.showing(player):
            await _until(_play(player, length_s), interrupted)
    finally:
        result = await player.stop()
    return result, interrupted.is_set()


async def _play(player: Player, length_s: float | None) -> None:
    try:
        await player.start()
        session = player.session
        assert session is not None, "a started player has a session"
        end_ms = session.duration_ms if length_s is None else player.position_ms + round(length_s * 1000)
        await player.play_until(end_ms)
    except PlaybackError:
        return  # the result says so


async def _until(work: Coroutine[None, None, None], interrupted: asyncio.Event) -> None:
    """Do `work` unless and until interrupted."""
    tasks = (asyncio.ensure_future(work), asyncio.ensure_future(interrupted.wait()))
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    ended, _ = await asyncio.gather(*tasks, return_exceptions=True)
    if isinstance(ended, Exception):
        raise ended


async def _first_title(control_url: str) -> str:
    async with ServiceClient("control", control_url) as control:
        page = await control.get("/v1/titles", partial(decode, kind=CatalogPage), params={"limit": "1"})
    if not page.titles:
        raise UserError(f"control at {control_url} has no titles yet; publish one with `oca ingest`")
    return page.titles[0].id


class _Screen:
    """Shows a play while it lasts: a live panel on a terminal, a line an event elsewhere, nothing for --json."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = Console(quiet=quiet)
        self._live: Live | None = None
        self._player: Player | None = None
        self._lines: deque[str] = deque(maxlen=display.EVENTS_SHOWN)

    @contextmanager
    def showing(self, player: Player) -> Iterator[None]:
        self._player = player
        if not self._console.is_terminal or self._console.quiet:
            yield
            return
        with Live(console=self._console, auto_refresh=False, transient=True) as self._live:
            yield
        self._live = None

    def hear(self, event: PlayerEvent) -> None:
        line = display.line(event)
        if line is not None:
            self._lines.append(line)
        if self._live is None:
            if line is not None:
                self._console.print(line, highlight=False, markup=False, soft_wrap=True)
            return
        snapshot = self._player.snapshot() if self._player is not None and event.kind == "tick" else None
        if snapshot is not None and self._player is not None:
            goal_s = self._player.limits.buffer_goal_s
            self._live.update(display.panel(self._player.title, snapshot, self._lines, goal_s=goal_s), refresh=True)
