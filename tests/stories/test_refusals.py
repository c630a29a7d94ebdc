"""What a person can mend is said in one line and an exit status, by every process, without a traceback."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest
import yaml

from bench.demo.fleet import Fleet
from bench.demo.layout import SERVICES

APPLIANCE = "north-1"
EACH = [*SERVICES, APPLIANCE]


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """Only its configurations; nothing is started."""
    (tmp_path / "store").mkdir()
    fleet = Fleet(tmp_path, store=tmp_path / "store", port_base=0)
    fleet.write_configurations()
    return fleet


def changed(fleet: Fleet, name: str, **settings: object) -> None:
    path = fleet.configuration(name)
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | settings, sort_keys=False))


async def run(fleet: Fleet, name: str, *options: str) -> tuple[int | None, str]:
    """Exit status and what was said on standard error, of a process that should not start."""
    process = await asyncio.create_subprocess_exec(*fleet.command(name), *options, stdout=PIPE, stderr=PIPE)
    try:
        _, err = await asyncio.wait_for(process.communicate(), 20)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    return process.returncode, err.decode()


def the_line(err: str) -> str:
    """The one line for the person; log lines are JSON and for machines."""
    assert "Traceback" not in err, err
    lines = [line for line in err.splitlines() if not line.startswith("{")]
    assert lines, err
    return lines[0]


async def each(fleet: Fleet, *options: str) -> dict[str, tuple[int | None, str]]:
    """`run` of every kind of process, all at once."""
    outcomes = await asyncio.gather(*(run(fleet, name, *options) for name in EACH))
    return dict(zip(EACH, outcomes, strict=True))


async def test_the_demos_own_configurations_are_in_order(fleet: Fleet) -> None:
    assert await each(fleet, "--check") == dict.fromkeys(EACH, (0, ""))


async def test_an_unknown_setting_is_named_with_file_and_line(fleet: Fleet) -> None:
    for name in EACH:
        changed(fleet, name, colour="blue")
    for name, (status, err) in (await each(fleet)).items():
        path = fleet.configuration(name)
        line = len(path.read_text().splitlines())
        assert status == 3
        assert the_line(err).startswith(f"oca: {path}:{line}: colour: unknown key; known here: ")


async def test_a_missing_configuration_is_named(fleet: Fleet) -> None:
    for name in EACH:
        fleet.configuration(name).unlink()
    for name, (status, err) in (await each(fleet)).items():
        words = f"oca: {fleet.configuration(name)}: cannot be read: No such file or directory"
        assert (status, the_line(err)) == (3, words)


async def test_a_port_in_use_is_said(fleet: Fleet) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for name in EACH:
        changed(fleet, name, listen={"host": "127.0.0.1", "port": port})
    async with server:
        outcomes = await each(fleet)
    for status, err in outcomes.values():
        assert status == 4
        assert f"cannot listen on 127.0.0.1:{port}: the port is in use by another process" in the_line(err)


@pytest.mark.parametrize("name", ["control", "fill"])
async def test_a_database_that_cannot_be_opened_is_named(fleet: Fleet, name: str) -> None:
    changed(fleet, name, database="/proc/nowhere/it.db")
    status, err = await run(fleet, name)
    assert status == 5
    assert "/proc/nowhere" in the_line(err)


async def test_disks_that_cannot_be_used_at_all_are_named(fleet: Fleet) -> None:
    changed(fleet, APPLIANCE, disks=[{"id": "d1", "path": "/proc/nowhere", "capacity": "1GB"}])
    status, err = await run(fleet, APPLIANCE)
    assert status == 5
    assert "/proc/nowhere" in the_line(err)


async def test_a_store_that_is_not_there_is_named(fleet: Fleet) -> None:
    changed(fleet, "origin", store="/proc/nowhere")
    status, err = await run(fleet, "origin")
    assert status == 5
    assert "/proc/nowhere" in the_line(err)
