"""`oca control`: run the control plane."""

from __future__ import annotations

from pathlib import Path

import click

from control.app import ControlPlane
from control.config import load
from control.kit import lifecycle, logs
from control.kit.clock import SystemClock


@click.command()
@click.option(
    "--config", "config", required=True, type=click.Path(path_type=Path), help="The control plane's YAML file."
)
@click.option("--check", is_flag=True, help="Only read and check the configuration.")
def control(config: Path, *, check: bool) -> int:
    """Run the control plane: catalog, playback sessions and manifests, resume, player events, the web page.

    It is on the path of no segment: players that have their manifest keep playing when it is gone.
    See configs/control.yaml for a commented configuration.
    """
    settings = load(config)
    if check:
        click.echo(f"{config}: OK: catalog of {settings.origin_url}, database {settings.database}")
        return 0
    logs.configure(process="control", level=settings.log_level)
    return int(lifecycle.run(ControlPlane(settings, SystemClock()), drain_limit_s=float(settings.drain_limit)))
