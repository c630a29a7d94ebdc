"""`oca serve`: run an appliance."""

from __future__ import annotations

from pathlib import Path

import click

from control.kit import lifecycle, logs
from control.kit.clock import SystemClock
from oca.config import load
from oca.supervisor import Supervisor


@click.command()
@click.option("--config", "config", required=True, type=click.Path(path_type=Path), help="The appliance's YAML file.")
@click.option("--check", is_flag=True, help="Only read and check the configuration.")
def serve(config: Path, *, check: bool) -> int:
    """Run an appliance: one keeper that owns the disks, and front workers that serve players.

    SIGTERM drains: no new connections, responses in flight finish, then it exits. A worker or keeper that
    dies is started again. See configs/appliance.yaml for a commented configuration.
    """
    settings = load(config)
    if check:
        click.echo(
            f"{config}: OK: appliance {settings.appliance}, {len(settings.disks)} disks, {settings.workers} workers"
        )
        return 0
    logs.configure(process=f"{settings.appliance}/supervisor", level=settings.log_level)
    return int(lifecycle.run(Supervisor(config, settings, SystemClock()), drain_limit_s=float(settings.drain_limit)))
