"""The fleet's own manners, with one real service: readiness, restarts, and words about what ended unasked."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bench.demo.child import ChildError
from bench.demo.configuration import configurations
from bench.demo.fleet import Fleet
from bench.demo.layout import NAMES, addresses

LIMIT_S = 20.0


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    """Configured; nothing is started yet."""
    told: list[str] = []
    fleet = Fleet(tmp_path, store=tmp_path / "store", port_base=0, on_failure=told.append, ready_limit_s=LIMIT_S)
    fleet.write_configurations()
    yield fleet
    await fleet.close()
    assert told == list(fleet.failures.values())


async def test_a_process_that_was_killed_can_be_started_again(fleet: Fleet) -> None:
    await fleet.start("steering")
    first = fleet.child("steering").pid
    await fleet.kill("steering")
    assert not fleet.child("steering").running
    await fleet.start("steering")
    assert fleet.child("steering").pid != first
    await fleet.restart("steering")
    await fleet.guard(fleet.ready("steering"))
    assert fleet.failures == {}


async def test_a_process_that_ends_unasked_ends_what_waits_with_its_name_and_log(fleet: Fleet) -> None:
    await fleet.start("steering")
    waiting = asyncio.ensure_future(fleet.guard(asyncio.Event().wait()))
    await asyncio.sleep(0)
    os.kill(fleet.child("steering").pid, signal.SIGKILL)
    with pytest.raises(ChildError, match=r"(?s)steering was killed by signal 9: .*\(log: .*/steering/log\)"):
        await asyncio.wait_for(waiting, LIMIT_S)
    assert not fleet.child("steering").running


async def test_a_process_that_cannot_start_says_why_in_its_own_words(fleet: Fleet) -> None:
    fleet.configuration("steering").write_text("colour: blue\n")
    with pytest.raises(ChildError, match=r"steering ended with status 3: .*config\.yaml:1: colour: unknown key"):
        await fleet.start("steering")


async def test_a_process_that_never_gets_ready_is_given_up(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, store=tmp_path / "store", port_base=0, ready_limit_s=0.5)
    fleet.write_configurations()
    try:
        with pytest.raises(ChildError, match=r"control was not ready in 0\.5 s, waiting for: "):
            await fleet.start("control")
    finally:
        await fleet.close()


async def test_a_closed_fleet_has_no_processes(fleet: Fleet) -> None:
    await fleet.start("steering")
    await fleet.close()
    assert fleet.child("steering").members() == {}


def test_every_process_keeps_to_its_own_directory(tmp_path: Path) -> None:
    at = addresses(None, is_free=lambda _: True, rng=random.Random(1))
    texts = configurations(tmp_path, tmp_path / "store", at)
    assert set(texts) == set(NAMES)
    for name, text in texts.items():
        others = [other for other in NAMES if other != name]
        assert not any(f"{tmp_path}/{other}" in text for other in others)
