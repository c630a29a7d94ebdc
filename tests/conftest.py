"""Leaves out tests whose system package is not installed, and says so at the end of the run.

The packages, their commands and the marker of the tests that need them are in configs/setup/system-packages.txt.
"""

import shutil
import sys
from collections import Counter
from pathlib import Path

import pytest

PACKAGES = Path(__file__).parent.parent / "configs" / "setup" / "system-packages.txt"
PLAYERS = Path(sys.prefix) / "share" / "oca" / "players" / "package.json"
LEFT_OUT = pytest.StashKey[Counter[str]]()


def missing_by_marker() -> dict[str, str]:
    """Marker → why tests that carry it cannot run here."""
    missing = {}
    for line in PACKAGES.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            package, command, marker, _ = line.split(maxsplit=3)
            if shutil.which(command) is None:
                missing[marker] = f"{command} is not installed (apt-get install {package})"
    if not PLAYERS.exists():
        missing.setdefault("browser", "the page's players are not installed (sh configs/setup/players.sh .venv)")
    return missing


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    missing = missing_by_marker()
    left_out = config.stash.setdefault(LEFT_OUT, Counter())
    chosen, deselected = [], []
    for item in items:
        reasons = [why for marker, why in missing.items() if item.get_closest_marker(marker)]
        (deselected if reasons else chosen).append(item)
        left_out.update(reasons[:1])
    if deselected:
        config.hook.pytest_deselected(items=deselected)
        items[:] = chosen


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    left_out = config.stash.get(LEFT_OUT, Counter())
    if left_out:
        terminalreporter.section("left out", sep="-", yellow=True)
        for why, count in sorted(left_out.items()):
            terminalreporter.write_line(f"{count} {'test' if count == 1 else 'tests'}: {why}")
