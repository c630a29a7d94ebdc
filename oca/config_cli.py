"""`oca config`: check a configuration file, or print the reference of one."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import click
import msgspec

from control.kit import settings as kit
from control.kit.reference import reference as written

TABLES: dict[str, tuple[str, str]] = {
    "appliance": ("oca.config:ApplianceSettings", "An appliance: `oca serve --config FILE`."),
    "origin": ("origin.config:OriginSettings", "The origin: `oca origin --config FILE`."),
    "control": ("control.config:ControlSettings", "The control plane: `oca control --config FILE`."),
    "steering": ("steering.config:SteeringSettings", "Steering: `oca steering --config FILE`."),
    "fill": ("fill.config:FillSettings", "The fill planner: `oca fill --config FILE`."),
}
"""Process → where its table of settings is, imported only when asked for, and what the file is for."""

CHECKS: dict[str, str] = {"appliance": "oca.config:checked"}
"""Process → what else must hold between its settings."""

PROCESS = click.Choice(list(TABLES))


@click.group()
def config() -> None:
    """Check a configuration file, or print the reference of one."""


@config.command()
@click.argument("process", type=PROCESS)
@click.argument("file", type=click.Path(path_type=Path))
def check(process: str, file: Path) -> None:
    """Read FILE as the configuration of PROCESS and say OK, or what is wrong with it and where."""
    settings = kit.load(file, _named(TABLES[process][0]))
    if process in CHECKS:
        _named(CHECKS[process])(settings, name=str(file))
    click.echo(f"{file}: OK")


@config.command()
@click.argument("process", type=PROCESS)
def reference(process: str) -> None:
    """Print every setting of PROCESS with its meaning and default, as YAML."""
    table = _named(TABLES[process][0])
    assert issubclass(table, msgspec.Struct)
    click.echo(written(table, TABLES[process][1]), nl=False)


def _named(place: str) -> Any:
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)
