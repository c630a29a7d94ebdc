"""The commands `oca origin` and `oca ingest`: arguments in, one result out."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click
import msgspec
from rich.console import Console

from control.kit import lifecycle, logs
from control.kit.clock import SystemClock
from control.kit.errors import Exit, StorageError
from control.wire import is_name
from origin import config
from origin.app import Origin
from origin.ingest.encode import PRESETS, Effort
from origin.ingest.job import Ingest, Order, Outcome
from origin.ingest.ladder import LADDER, Rung, parse_rung
from origin.ingest.screen import Screen, summary
from origin.storage.directory import DirectoryStorage

DEMO_TITLE = "open-connect-demo"
DEMO_NAME = "Open Connect demo"
DEMO_SYNOPSIS = "A film, a fractal and a test pattern, every frame numbered."
DEMO_SECONDS = 60.0
DEMO_EFFORT = Effort("superfast", threads=1)
"""The rungs share two cores well enough; with more threads each, rate control gives other bytes on every run."""


class _RungType(click.ParamType[Rung]):
    name = "HEIGHT:RATE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Rung:
        """A rung, or the usage error that says what a rung looks like."""
        try:
            return value if isinstance(value, Rung) else parse_rung(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.option("--config", "path", metavar="FILE", type=click.Path(path_type=Path), required=True, help="Its settings.")
@click.option("--check", is_flag=True, help="Only check the settings.")
def origin(path: Path, check: bool) -> int:
    """Run the origin, which holds the truth."""
    settings = config.load(path)
    if check:
        click.echo(f"{path}: OK")
        return Exit.OK
    logs.configure(process="origin")
    return lifecycle.run(Origin(settings, clock=SystemClock()), drain_limit_s=settings.limits.drain + 5)


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--demo", is_flag=True, help="Make up the demo's title instead of reading FILE.")
@click.option("--store", required=True, type=click.Path(path_type=Path), help="The origin's store to publish into.")
@click.option("--title", help="Id of the title; by default made from FILE's name.")
@click.option("--name", help="Name that viewers see; by default FILE's name.")
@click.option("--synopsis", default="", help="What it is about.")
@click.option("--attribution", default="", help="Whom to credit, and the licence.")
@click.option("--seconds", type=click.FloatRange(1, 36_000), help="Length of the demo (60), or only so much of FILE.")
@click.option(
    "--rung", "rungs", multiple=True, type=_RungType(), help="A video rendition, as 720p:2500kbps; repeat it."
)
@click.option("--preset", type=click.Choice(PRESETS), help="x264's effort: superfast for the demo, else veryfast.")
@click.option("--threads", type=click.IntRange(0, 256), help="Per encoder: 1 for the demo, else 0, as many as cores.")
@click.option("--time-limit", type=click.FloatRange(1), help="Seconds that encoding may take.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    default=Path(".cache/media"),
    show_default=True,
    help="Where made media is kept between runs.",
)
@click.option("--synthetic", is_flag=True, help="The demo without the film clip, which is downloaded otherwise.")
@click.option("--replace", is_flag=True, help="Replace a title of the same id; the demo always does.")
@click.option("--dry-run", is_flag=True, help="Make the media, but publish nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the title and the timing as JSON.")
def ingest(  # noqa: PLR0917 - click passes by name
    file: Path | None,
    demo: bool,
    store: Path,
    title: str | None,
    name: str | None,
    synopsis: str,
    attribution: str,
    seconds: float | None,
    rungs: tuple[Rung, ...],
    preset: str | None,
    threads: int | None,
    time_limit: float | None,
    cache: Path,
    synthetic: bool,
    replace: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Encode and package a video and publish it to an origin's store.

    Safe while an origin serves from the store: the title appears whole, or not at all. Running it
    again takes the media from the cache and changes nothing.
    """
    if demo == (file is not None):
        raise click.UsageError("give either a FILE or --demo")
    title = title or (DEMO_TITLE if file is None else slug(file.stem))
    if not is_name(title):
        raise click.UsageError(f"--title {title!r}: use letters, digits, '.', '_' and '-', at most 128")
    if len({rung.short_side for rung in rungs}) != len(rungs):
        raise click.UsageError("--rung: two rungs of one height")
    few = DEMO_EFFORT if demo else Effort()
    effort = Effort(preset or few.preset, few.threads if threads is None else threads, time_limit)
    shown = name or (DEMO_NAME if file is None else file.stem)
    about = synopsis or (DEMO_SYNOPSIS if demo else "")
    order = Order(title, shown, rungs or LADDER, effort, about, attribution, replace or demo)
    if not dry_run:
        _writable(store)
    _writable(cache)
    with _terminable(), Screen(Console(stderr=True)) as screen:
        work = Ingest(DirectoryStorage(store), cache, screen, SystemClock(), dry_run=dry_run)
        if file is None:
            outcome = work.demo(order, seconds=seconds or DEMO_SECONDS, film=not synthetic)
        else:
            outcome = work.file(file, order, seconds=seconds)
    _print(outcome, dry_run=dry_run, as_json=as_json)


def _writable(directory: Path) -> None:
    """Raise StorageError now when `directory` could not be made or written: after encoding is too late to learn it."""
    nearest = next(place for place in (directory.absolute(), *directory.absolute().parents) if place.exists())
    if not nearest.is_dir():
        raise StorageError(f"{directory}: cannot be used: {nearest} is not a directory")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise StorageError(f"{directory}: cannot be used: {nearest} cannot be written by this user")


def slug(stem: str) -> str:
    """A title id from a file's name.

    >>> slug("Big Buck Bunny (1080p)"), slug("___")
    ('big-buck-bunny-1080p', 'title')
    """
    return re.sub(r"[^a-z0-9.]+", "-", stem.lower()).strip("-.")[:100] or "title"


def _print(outcome: Outcome, *, dry_run: bool, as_json: bool) -> None:
    if not as_json:
        Console().print(summary(outcome, dry_run=dry_run))
        return
    answer = {
        "title": outcome.published.title,
        "changed": outcome.published.changed,
        "dry_run": dry_run,
        "cached": outcome.cached,
        "bytes_written": outcome.published.bytes_written,
        "seconds": outcome.seconds,
    }
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode() + "\n")


@contextmanager
def _terminable() -> Iterator[None]:
    """While inside, SIGTERM ends us like Ctrl-C does: the encoder is stopped and temporary files go."""

    def on_signal(_: int, __: FrameType | None) -> None:
        raise click.Abort

    before = signal.signal(signal.SIGTERM, on_signal)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
