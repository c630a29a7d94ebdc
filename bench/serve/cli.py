"""`oca bench serve`: options to a measurement, its result to the screen, to JSON and to files."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console

from bench.serve import chart, loads, report
from bench.serve.cells import CONNECTIONS, RANGE_BYTES, SCHEMES, SIZES, STATES, Cell, Scheme, State, cells
from bench.serve.comparison import Pace, compare
from bench.serve.peers.peer import Peer
from bench.serve.peers.registry import OURS, PEERS
from bench.serve.session import Bench, Say, opened
from control.kit.errors import Exit

SIZE_NAMES = dict(zip(("64KiB", "1MiB", "4MiB"), SIZES, strict=True))
QUICK_PACE = Pace(rounds=5, seconds=0.5, cell_limit_s=7.0)
USUAL_PACE = Pace(rounds=5, seconds=2.0)
FULL_PACE = Pace(rounds=3, seconds=1.0)
QUICK_PEERS = (OURS, "nginx")
PLAIN_WIDTH = 120
"""Columns of tables that go to a file or a pipe."""
LOAD_SECONDS = 20.0
LOAD_CONNECTIONS = 128
MOST_CONNECTIONS = click.IntRange(1, 60_000)


@click.command()
@click.option("--quick", is_flag=True, help="Hot cells, 32 connections, nginx as the peer; under a minute.")
@click.option("--full", is_flag=True, help="Every cell with every peer; an hour or two.")
@click.option("--server", "servers", multiple=True, type=click.Choice(list(PEERS)), help="Only these, and ours.")
@click.option("--scheme", "schemes", multiple=True, type=click.Choice(SCHEMES), help="Only these.")
@click.option("--size", "sizes", multiple=True, type=click.Choice(list(SIZE_NAMES)), help="Only these.")
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Only these; cold20 is 20 % cold.")
@click.option("--connections", multiple=True, type=MOST_CONNECTIONS, help="Open connections.")
@click.option("--rounds", type=click.IntRange(1, 1000), help="Rounds of each cell.")
@click.option("--seconds", type=click.FloatRange(0.05, 3600), help="Length of one run.")
@click.option("--open", "rate", type=click.FloatRange(0.1, 1e6), help="Instead: a constant rate of requests/s.")
@click.option("--viewers", type=MOST_CONNECTIONS, help="Instead: this many paced viewers with adaptive bit rates.")
@click.option("--idle", type=MOST_CONNECTIONS, help="Instead: memory of this many idle connections.")
@click.option("--seed", default=1, show_default=True, help="Of the viewers' arrivals.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Directory for JSON and SVG.")
def serve(
    *,
    quick: bool,
    full: bool,
    servers: tuple[str, ...],
    schemes: tuple[Scheme, ...],
    sizes: tuple[str, ...],
    states: tuple[State, ...],
    connections: tuple[int, ...],
    rounds: int | None,
    seconds: float | None,
    rate: float | None,
    viewers: int | None,
    idle: int | None,
    seed: int,
    as_json: bool,
    out: Path | None,
) -> int:
    """Measure the segment server against its peers: CPU per request, throughput, first byte, memory.

    Every server runs as one process on the first core, the client on the second; rounds are interleaved.
    Without --quick or --full: the hot cells with 32 connections and every peer. --open, --viewers and --idle
    measure ours and nginx unless --server says otherwise.
    """
    kinds = (quick, full, rate is not None, viewers is not None, idle is not None)
    if sum(kinds) > 1:
        raise click.UsageError("--quick, --full, --open, --viewers and --idle exclude each other")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(int(Exit.INTERRUPTED)))
    load = any(kinds[2:])
    wanted = cells(
        sizes=[SIZE_NAMES[name] for name in sizes] or (SIZES[1:2] if load else SIZES),
        schemes=schemes or SCHEMES,
        states=states or (STATES if full else STATES[:1]),
        connections=connections or (CONNECTIONS if full else (LOAD_CONNECTIONS,) if load else CONNECTIONS[:1]),
    )
    peers = chosen_peers(servers, few=quick or load)
    console = Console(stderr=as_json, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    with console.status("setting up") as status:
        say: Say = status.update if console.is_terminal else _silent
        if not load:
            pace = pace_of(QUICK_PACE if quick else FULL_PACE if full else USUAL_PACE, rounds, seconds)
            return _compare(peers, wanted, pace, say=say, console=None if as_json else console, brief=quick, out=out)
        length = seconds or LOAD_SECONDS
        measure: Callable[[Bench, Cell], Sequence[msgspec.Struct]]
        if rate is not None:
            kind, measure = "open", lambda bench, cell: loads.constant_rate(bench, cell, rate=rate, seconds=length)
        elif viewers is not None:
            wanted = [Cell(scheme, viewers, "hot", SIZES[1]) for scheme in schemes or SCHEMES]
            kind, measure = "viewers", lambda bench, cell: loads.audience(bench, cell, seconds=length, seed=seed)
        else:
            assert idle is not None, "one kind of load is asked for"
            wanted = [Cell(scheme, idle, "hot", RANGE_BYTES) for scheme in schemes or SCHEMES]
            kind, measure = "idle", loads.idle
        return _load(kind, peers, wanted, measure, say=say, console=None if as_json else console, out=out)


def chosen_peers(names: Sequence[str], *, few: bool) -> list[Peer]:
    """Ours, and those named; without names all, or only the usual one.

    >>> [peer.name for peer in chosen_peers(["varnish"], few=False)]
    ['oca', 'varnish']
    """
    wanted = set(names) or set(QUICK_PEERS if few else PEERS)
    return [peer for name, peer in PEERS.items() if name in wanted or name == OURS]


def pace_of(usual: Pace, rounds: int | None, seconds: float | None) -> Pace:
    """The usual pace with what was asked for changed; who asks waits as long as it takes."""
    if rounds is None and seconds is None:
        return usual
    return Pace(rounds or usual.rounds, seconds or usual.seconds)


def _compare(
    peers: Sequence[Peer],
    wanted: Sequence[Cell],
    pace: Pace,
    *,
    say: Say,
    console: Console | None,
    brief: bool,
    out: Path | None,
) -> int:
    with opened(peers, wanted, say) as bench:
        found = compare(bench, wanted, pace)
    if out is not None:
        _write(out, "serve.json", _json(msgspec.to_builtins(found)))
        _write(out, "serve.svg", chart.svg(found))
    if console is not None:
        report.show(found, console)
    else:
        click.echo(_json(report.brief(found) if brief else msgspec.to_builtins(found)))
    return int(Exit.OK)


def _load(
    kind: str,
    peers: Sequence[Peer],
    wanted: Sequence[Cell],
    measure: Callable[[Bench, Cell], Sequence[msgspec.Struct]],
    *,
    say: Say,
    console: Console | None,
    out: Path | None,
) -> int:
    with opened(peers, wanted, say, more=loads.audience_sets() if kind == "viewers" else frozenset()) as bench:
        rows = [row for cell in wanted for row in measure(bench, cell)]
        machine, left_out = bench.machine(), bench.left_out
    found: dict[str, Any] = {kind: rows, "left_out": left_out, "machine": machine}
    if out is not None:
        _write(out, f"{kind}.json", _json(found))
    if console is not None:
        report.show_rows(rows, console)
        report.show_circumstances(machine, left_out, console)
    else:
        click.echo(_json(found))
    return int(Exit.OK)


def _json(found: object) -> str:
    return msgspec.json.format(msgspec.json.encode(found)).decode()


def _write(directory: Path, name: str, text: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_text(text + "\n" if not text.endswith("\n") else text)


def _silent(words: str) -> None:
    """Progress is for terminals."""
