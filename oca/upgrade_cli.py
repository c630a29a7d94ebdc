"""`oca upgrade`: put new workers in place of the running ones, without a failed request."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import click

from control.kit.errors import UnreachableError, UserError
from oca.config import ApplianceSettings, load

POLL_S = 0.1


@click.command()
@click.option("--config", required=True, type=click.Path(path_type=Path), help="The YAML file `oca serve` runs with.")
@click.option("--timeout", "timeout_s", default=60.0, show_default=True, help="Seconds to wait for the new workers.")
@click.option("--dry-run", is_flag=True, help="Only say what would be replaced.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def upgrade(config: Path, timeout_s: float, *, dry_run: bool, as_json: bool) -> None:
    """Swap all front workers for ones that run the code, configuration and certificates now on disk.

    New workers accept on the same sockets before the old ones stop; the old ones finish what they have.
    When the new ones cannot start, the old ones stay, and the reason is in the appliance's log.
    """
    settings = load(config)
    supervisor = _supervisor(settings)
    before = _workers(supervisor)
    if dry_run:
        _say(as_json, {"appliance": settings.appliance, "would_replace": sorted(before)})
        return
    os.kill(supervisor, signal.SIGHUP)
    fresh = _fresh_workers(supervisor, before, settings.workers, timeout_s)
    _say(as_json, {"appliance": settings.appliance, "replaced": sorted(before), "workers": sorted(fresh)})


def _supervisor(settings: ApplianceSettings) -> int:
    try:
        pid = int(settings.supervisor_pid.read_text())
        os.kill(pid, 0)
    except (OSError, ValueError) as error:
        raise UnreachableError(
            f"{settings.appliance}: no running `oca serve` found by {settings.supervisor_pid}; is it started?"
        ) from error
    return pid


def _workers(supervisor: int) -> set[int]:
    """Process ids of the supervisor's front workers."""
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    return {int(child) for child in children if "oca.front" in _words(child)}


def _words(pid: str) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []


def _fresh_workers(supervisor: int, before: set[int], count: int, timeout_s: float) -> set[int]:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        fresh = _workers(supervisor) - before
        if len(fresh) >= count and not _accepting(before):
            return fresh
        time.sleep(POLL_S)
    raise UserError(
        f"no new workers in {timeout_s:.0f} s; the old ones serve on. The appliance's log says why (reload_refused)"
    )


def _accepting(workers: set[int]) -> bool:
    """Whether one of `workers` still holds a listening socket."""
    listening = {line.split()[9] for line in _tcp_lines() if line.split()[3] == "0A"}
    for pid in workers:
        try:
            links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        except OSError:
            continue
        if any(link.removeprefix("socket:[").removesuffix("]") in listening for link in links):
            return True
    return False


def _tcp_lines() -> list[str]:
    lines: list[str] = []
    for name in ("/proc/net/tcp", "/proc/net/tcp6"):
        if os.path.exists(name):
            lines += Path(name).read_text().splitlines()[1:]
    return lines


def _say(as_json: bool, facts: dict[str, object]) -> None:
    if as_json:
        click.echo(json.dumps(facts))
    else:
        click.echo("  ".join(f"{key}: {value}" for key, value in facts.items()))
