"""The `oca` command: every folder's commands under one name.

The one file that may name every folder's cli. A folder's cli is imported only when its command is
called, so `oca --help` is quick and an appliance never loads the control plane.
"""

from __future__ import annotations

import importlib
import os
import sys

import click

from control.kit.errors import Exit, UserError

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("bench.demo.cli:demo", "Run the whole system on real video, on this machine."),
    "serve": ("oca.serve_cli:serve", "Run an appliance: its keeper and front workers."),
    "origin": ("origin.cli:origin", "Run the origin, which holds the truth."),
    "control": ("control.cli:control", "Run the control plane: catalog, playback, resume."),
    "steering": ("steering.cli:steering", "Run steering, which ranks appliances for players."),
    "fill": ("fill.cli:fill", "Run the fill planner, which decides who holds what."),
    "ingest": ("origin.cli:ingest", "Encode and package a video and publish it to an origin's store."),
    "plan": ("fill.cli:plan", "Show tonight's plan, or make a new one."),
    "fleet": ("steering.cli:fleet", "Show every appliance as steering sees it."),
    "explain": ("steering.cli:explain", "Explain why a client gets these appliances in this order."),
    "status": ("oca.operator_cli:status", "Show one appliance: workers, disks, fill, what it holds."),
    "top": ("oca.top_cli:top", "Watch one appliance live: requests, rate, hits, workers, disks."),
    "drain": ("oca.operator_cli:drain", "Take an appliance out of steering, or put it back."),
    "evict": ("oca.operator_cli:evict", "Remove a title from one appliance."),
    "upgrade": ("oca.upgrade_cli:upgrade", "Swap an appliance's workers for new ones without a failed request."),
    "token": ("oca.token_cli:token", "Sign and show access tokens and signed URLs."),
    "play": ("bench.player.cli:play", "Play a title with the built-in headless player."),
    "bench": ("bench.cli:bench", "Measure the segment server against its peers, on this machine."),
    "config": ("oca.config_cli:config", "Check a configuration file, or print the reference of one."),
}
"""Command → where it is and its line in `--help`."""

FOOTER = """Exit status: 0 success, 1 the operation failed, 2 wrong usage, 3 bad configuration,
4 an address cannot be listened on, 5 storage cannot be used, 6 another process cannot be reached,
130 interrupted."""


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now; None when there is no such command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List them without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, epilog=FOOTER, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="open-connect-appliance", prog_name="oca")
def oca() -> None:
    """An open Open Connect: video delivery that an ISP can rack, run and trust.

    Start with `oca demo`: it runs every process on this machine and plays a real title.
    """


def main() -> None:
    """Run the command line; turn what the user can mend into one line and an exit status."""
    try:
        status = oca.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except click.Abort:
        status = Exit.INTERRUPTED
    except UserError as error:
        click.echo(f"oca: {error}", err=True)
        status = error.exit_status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = Exit.OK
    sys.exit(int(status or 0))
