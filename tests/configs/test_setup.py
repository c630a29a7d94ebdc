"""What setup installs is what the rest of the tree expects."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from control.gateway.routes_page import PLAYERS

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ROOT / "control" / "gateway" / "players"
SETUP = ROOT / "configs" / "setup"


def test_setup_keeps_exactly_the_player_files_that_control_serves():
    kept = re.findall(r"\S+\.js(?=\s)", (SETUP / "players.sh").read_text().split('files="')[1].split('"')[0])
    assert sorted(f"node_modules/{file}" for file in kept) == sorted(PLAYERS.values())


def test_the_page_asks_for_the_players_that_control_serves():
    page = (ROOT / "control" / "gateway" / "page" / "players.js").read_text()
    assert sorted(re.findall(r"script: 'players/([^']+)'", page)) == sorted(PLAYERS)


def test_every_player_is_pinned_and_no_registry_is_named():
    wanted = json.loads((PACKAGES / "package.json").read_text())["dependencies"]
    text = (PACKAGES / "package-lock.json").read_text()
    locked = json.loads(text)["packages"]
    assert {name: locked[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert all(package.get("integrity") for name, package in locked.items() if name)
    assert "resolved" not in text
    assert "://" not in re.sub(r'"url": "[^"]*"', "", text)


def test_every_system_package_has_a_marker_that_pytest_knows():
    markers = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["markers"]
    known = {marker.partition(":")[0] for marker in markers}
    rows = [
        line.split(maxsplit=3) for line in (SETUP / "system-packages.txt").read_text().splitlines() if line[:1] != "#"
    ]
    assert rows
    assert all(len(row) == 4 for row in rows)
    assert {row[2] for row in rows} <= known


@pytest.mark.parametrize("script", sorted(SETUP.glob("*.sh")), ids=lambda path: path.name)
def test_setup_scripts_are_plain_posix_shell(script):
    text = script.read_text()
    assert "[[" not in text
    assert "pipefail" not in text
    assert "local " not in text
