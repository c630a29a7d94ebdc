"""The commands, as an operator types them."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from control.kit.errors import UnreachableError, UserError
from control.wire import FillReport, Heartbeat, Title
from fill import cli

MakeTitle = Callable[..., Title]
Beat = Callable[..., Heartbeat]
Running = Callable[..., Any]
Until = Callable[..., Awaitable[Any]]


async def typed(*arguments: str) -> Result:
    """`oca plan` run as typed, while the service under test goes on."""
    return await asyncio.to_thread(CliRunner().invoke, cli.plan, arguments, standalone_mode=False)


async def test_plans_are_shown_with_progress_reasons_and_what_they_wait_for(
    running: Running, control: Any, title: MakeTitle, beat: Beat, until: Until
) -> None:
    control.titles = [title("bunny")]
    async with running(control_url=control.url) as probe:
        at = ("--fill", probe.url)
        await until(lambda: probe.service.meter.value("oca_fill_titles") == 1)
        assert "waiting for the first heartbeat of an appliance" in (await typed(*at)).output
        await probe.appears(beat("a1"), beat("a2", capacity=2000))
        plan = await until(lambda: probe.plan("a2"))
        report = FillReport(
            appliance="a2", plan=plan.id, state="running", at=1.0, bytes_total=1000, bytes_done=250, errors=("d1: EIO",)
        )
        await probe.send("/v1/fill-reports", report)
        everyone = (await typed(*at)).output
        assert "now until" in everyone
        assert "250 B of 1 kB" in everyone
        assert "a2: d1: EIO" in everyone
        assert "1 title in the catalog; plans made" in everyone
        whole = (await typed(*at, "--appliance", "a1")).output
        assert "nobody asked yet: expected by its age" in whole
        assert "fill master" in whole
        why = (await typed(*at, "--title", "bunny")).output
        assert "hold, 1st" in why
        assert "left" in why
        rows = json.loads((await typed(*at, "--json")).output)["appliances"]
        assert [row["appliance"] for row in rows] == ["a1", "a2"]


async def test_plans_are_made_on_demand_and_tried_dry(
    running: Running, control: Any, title: MakeTitle, beat: Beat, until: Until
) -> None:
    control.titles = [title("bunny")]
    async with running(control_url=control.url, settle=3600.0) as probe:
        at = ("--fill", probe.url)
        await until(lambda: probe.service.meter.value("oca_fill_titles") == 1)
        await probe.appears(beat("a1"))
        dry = await typed(*at, "--make", "--dry-run")
        assert "1 of 1 plans would be replaced; nothing was changed" in dry.output
        assert await probe.plan("a1") is None
        shown = await typed(*at, "--make", "--dry-run", "--appliance", "a1")
        assert "fill master" in shown.output
        assert "1 of 1 plans replaced" in (await typed(*at, "--make")).output
        assert await probe.plan("a1") is not None
        made = json.loads((await typed(*at, "--make", "--json")).output)
        assert [row["changed"] for row in made["plans"]] == [False]


async def test_what_the_operator_can_mend_is_said_in_one_line(running: Running) -> None:
    async with running() as probe:
        at = ("--fill", probe.url)
        for arguments, words in (
            (("--appliance", "a1"), "a1 has not reported; plans wait for its first heartbeat"),
            (("--title", "bunny"), "'bunny' is not in the catalog"),
            (("--make", "--appliance", "a1"), "no plan can be made for a1; waiting for control's catalog"),
        ):
            result = await typed(*at, *arguments)
            assert isinstance(result.exception, UserError)
            assert words in str(result.exception)
        assert "--dry-run goes with --make" in str((await typed("--dry-run")).exception)
        assert "use --title without it" in str((await typed("--make", "--title", "t")).exception)
        assert "is not a name" in str((await typed("--appliance", "a/b")).exception)
        assert isinstance((await typed("--fill", "http://127.0.0.1:1")).exception, UnreachableError)


def test_the_process_starts_without_its_neighbours_and_ends_on_a_signal(tmp_path: Path) -> None:
    config = tmp_path / "fill.yaml"
    config.write_text(f"listen: {{port: 0}}\ncontrol_url: http://127.0.0.1:1\ndatabase: {tmp_path}/fill.db\n")
    command = [sys.executable, "-c", "from oca.cli import main; main()", "fill", "--config", str(config)]
    checked = subprocess.run([*command, "--check"], capture_output=True, text=True, timeout=30, check=True)
    assert checked.stdout == f"{config}: OK\n"
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        events = []
        for line in process.stderr:
            events.append(json.loads(line)["event"])
            if events[-1] == "ready":
                process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    assert [event for event in events if event != "catalog_unavailable"] == [
        "listening",
        "ready",
        "draining",
        "stopped",
    ]
