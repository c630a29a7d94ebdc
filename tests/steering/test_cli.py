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

import pytest
from click.testing import CliRunner, Result

from control.kit.errors import UnreachableError, UserError
from control.wire import Heartbeat, Inventory
from steering import cli

Beat = Callable[..., Heartbeat]
Make = Callable[..., Inventory]
Running = Callable[..., Any]
Until = Callable[..., Awaitable[None]]


async def typed(command: Any, *arguments: str) -> Result:
    """The command run as typed, while the service under test goes on."""
    return await asyncio.to_thread(CliRunner().invoke, command, arguments, standalone_mode=False)


async def test_an_empty_fleet_says_what_that_means(running: Running) -> None:
    async with running() as probe:
        result = await typed(cli.fleet, "--steering", probe.url)
        assert "No appliance has reported yet, so every client is sent to the origin." in result.output


async def test_the_fleet_shows_who_stands_how_and_why(
    running: Running, appliance: Any, beat: Beat, inventory: Make, until: Until
) -> None:
    one = await appliance("a1", "127.0.0.11")
    async with running() as probe:
        await probe.send("/v1/heartbeats", beat("a1", url=one.url, egress_bps=2.5e9))
        await probe.send("/v1/inventories", inventory("a1", ("bunny", "v", 4, 4)))
        await probe.send("/v1/heartbeats", beat("a2", state="draining", serves=()))
        await until(lambda: probe.service.fleet.find("a1").health.phase == "alive")
        result = await typed(cli.fleet, "--steering", probe.url)
        lines = result.output.splitlines()
        assert lines[1].split()[:3] == ["a2", "north-a", "draining"]
        assert "25% of 10 Gbit/s" in lines[2]
        assert "1 title, 400 B" in lines[2]
        assert "a2: says it is draining" in lines
        assert lines[-1] == "1 of 2 ready, 1 draining"
        view = json.loads((await typed(cli.fleet, "--steering", probe.url, "--json")).output)
        assert [row["appliance"] for row in view["appliances"]] == ["a2", "a1"]


async def test_explain_shows_the_order_the_reasons_and_who_was_left_out(
    running: Running, appliance: Any, beat: Beat, until: Until
) -> None:
    one = await appliance("a1", "127.0.0.11")
    async with running() as probe:
        await probe.send("/v1/heartbeats", beat("a1", url=one.url))
        await probe.send("/v1/heartbeats", beat("a2", serves=("192.0.2.0/24",)))
        await until(lambda: probe.service.fleet.find("a1").health.phase == "alive")
        asked = ("--steering", probe.url, "--client", "10.0.0.7", "--title", "bunny")
        output = (await typed(cli.explain, *asked)).output
        assert "serves 10.0.0.0/8; holds nothing of the title; load 0%" in output
        assert "a2  none of its prefixes covers 10.0.0.7" in output
        assert "Valid for 10 s, which is short, because:\n  steering started" in output
        made = json.loads((await typed(cli.explain, *asked, "--json")).output)["decision"]
        again = await typed(cli.explain, "--steering", probe.url, "--decision", made["id"])
        assert f"decision {made['id']}" in again.output


async def test_what_the_operator_can_mend_is_said_in_one_line(running: Running) -> None:
    async with running() as probe:
        wrong = await typed(cli.explain, "--steering", probe.url, "--client", "me", "--title", "t")
        assert isinstance(wrong.exception, UserError)
        assert "'me' is not an address" in str(wrong.exception)
        missing = await typed(cli.explain, "--steering", probe.url, "--decision", "d-1")
        assert "remembers no decision d-1" in str(missing.exception)
        usage = await typed(cli.explain, "--steering", probe.url)
        assert "Give --client and --title, or --decision" in str(usage.exception)
        nobody = await typed(cli.fleet, "--steering", "http://127.0.0.1:1")
        assert isinstance(nobody.exception, UnreachableError)


def test_the_process_starts_says_ready_and_ends_on_a_signal(tmp_path: Path) -> None:
    config = tmp_path / "steering.yaml"
    config.write_text("listen: {port: 0}\n")
    command = [sys.executable, "-c", "from oca.cli import main; main()", "steering", "--config", str(config)]
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
    assert events == ["listening", "ready", "draining", "stopped"]


@pytest.mark.parametrize("text", ["ttl: soon", "listen: {port: 99999}"])
def test_a_bad_configuration_ends_with_status_3_and_one_line(tmp_path: Path, text: str) -> None:
    config = tmp_path / "steering.yaml"
    config.write_text(text)
    command = [sys.executable, "-c", "from oca.cli import main; main()", "steering", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert done.stderr.startswith(f"oca: {config}:1:")
