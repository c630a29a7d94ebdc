"""The keeper as a process: `python -m oca.keeper --config FILE`. Started by `oca serve`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from control.kit import lifecycle, logs
from control.kit.clock import SystemClock
from control.kit.errors import UserError
from control.kit.orphan import die_with_parent
from oca.config import load
from oca.keeper.daemon import Keeper


def main(arguments: list[str]) -> int:
    """Run the keeper until a signal. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m oca.keeper")
    parser.add_argument("--config", type=Path, required=True, help="the appliance's YAML file")
    config: Path = parser.parse_args(arguments).config
    die_with_parent()
    try:
        settings = load(config)
        logs.configure(process=f"{settings.appliance}/keeper", level=settings.log_level)
        return int(lifecycle.run(Keeper(settings, SystemClock()), drain_limit_s=float(settings.drain_limit)))
    except UserError as error:
        sys.stderr.write(f"oca: {error}\n")
        return int(error.exit_status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
