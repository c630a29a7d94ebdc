"""`oca bench`: the benches, each a command of its own."""

from __future__ import annotations

import click

from bench.serve.cli import serve


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def bench() -> None:
    """Measure the segment server against its peers, on this machine."""


bench.add_command(serve)
