"""The configuration of each of the demo's processes, as the files that `oca … --config` reads.

Pure: addresses and directories in, texts out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from bench.demo.layout import APPLIANCES, DISK_CAPACITY, SERVICES, Addresses, Appliance

COMMANDS = {name: name for name in SERVICES} | {appliance.name: "serve" for appliance in APPLIANCES}
"""Name of a process → the `oca` command that runs it."""


def configurations(root: Path, store: Path, at: Addresses, *, players: Path | None = None) -> dict[str, str]:
    """Name of a process → its YAML. Everything a process writes is under `root`/<its name>.

    `players` is where the web page's players are installed.
    """
    tables = {
        "origin": {"url": at["origin"].url, "store": str(store)},
        "control": _control(root, at, players),
        "steering": _steering(at),
        "fill": _fill(root, at),
    }
    tables |= {appliance.name: _appliance(root, at, appliance) for appliance in APPLIANCES}
    return {name: yaml.safe_dump(_listen(at, name) | table, sort_keys=False) for name, table in tables.items()}


def _listen(at: Addresses, name: str) -> dict[str, Any]:
    return {"listen": {"host": at[name].host, "port": at[name].port}}


def _control(root: Path, at: Addresses, players: Path | None) -> dict[str, Any]:
    return {
        "url": at["control"].url,
        "origin_url": at["origin"].url,
        "steering_url": at["steering"].url,
        "database": str(root / "control" / "control.db"),
        "catalog_poll": "500ms",
        "players": str(players) if players else None,
        "resume": {"shortest": "5s"},
    }


def _steering(at: Addresses) -> dict[str, Any]:
    return {
        "url": at["steering"].url,
        "origin": {"name": "origin", "url": at["origin"].url},
        "ttl": "10s",
    }


def _fill(root: Path, at: Addresses) -> dict[str, Any]:
    return {
        "control_url": at["control"].url,
        "origin": {"name": "origin", "url": at["origin"].url},
        "database": str(root / "fill" / "fill.db"),
        "window": {"start": "00:00", "end": "00:00"},  # the whole day: the demo's night is now
        "catalog_interval": "1s",
        "settle": "5s",
    }


def _appliance(root: Path, at: Addresses, appliance: Appliance) -> dict[str, Any]:
    home, admin = root / appliance.name, at[f"{appliance.name}/admin"]
    disks = [{"id": f"d{n}", "path": str(home / f"d{n}"), "capacity": DISK_CAPACITY} for n in (1, 2)]
    return {
        "appliance": appliance.name,
        "site": appliance.site,
        "cluster": appliance.cluster,
        "url": at[appliance.name].url,
        "admin": {"host": admin.host, "port": admin.port},
        "run_dir": str(home / "run"),
        "workers": 2,
        "disks": disks,
        "serves": list(appliance.serves),
        "origin": {"name": "origin", "url": at["origin"].url},
        "steering_urls": [at["steering"].url],
        "fill_url": at["fill"].url,
    }
