"""`oca status`, `oca drain`, `oca evict` and `oca config`, against a keeper that runs."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from control.kit.clock import SystemClock
from control.kit.errors import UserError
from oca.cli import oca as commands
from oca.config import load
from oca.keeper.daemon import Keeper

ROOT = Path(__file__).parents[2]


async def oca(*arguments):
    """Exit status, standard output and what a UserError says, of a command run beside the event loop."""
    result = await asyncio.to_thread(CliRunner().invoke, commands, list(arguments))
    if isinstance(result.exception, UserError):
        return int(result.exception.exit_status), result.stdout, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
async def keeper(world):
    found = Keeper(world.settings(), SystemClock())
    await found.start()
    yield found
    await found.stop()


async def test_an_operator_sees_drains_and_evicts_one_appliance(world, keeper):
    made = world.made()
    await world.put(keeper.shelves, made)
    admin = ("--admin", f"http://127.0.0.1:{keeper.server.port}")
    status, out, _ = await oca("status", *admin)
    assert (status, "a1" in out, "starting" in out, "d1" in out) == (0, True, True, True)
    status, out, _ = await oca("status", "--json", *admin)
    assert json.loads(out)["objects"] == 3
    status, out, _ = await oca("drain", *admin)
    assert (status, keeper.condition.draining) == (0, True)
    status, out, _ = await oca("drain", "--off", "--json", *admin)
    assert (status, json.loads(out[out.index("{") :])["draining"], keeper.condition.draining) == (0, False, False)
    status, out, _ = await oca("evict", "film", "--dry-run", *admin)
    assert (status, "Would free" in out, keeper.shelves.books.get(made.key) is None) == (0, True, False)
    status, out, _ = await oca("evict", "film", "--json", *admin)
    assert (status, keeper.shelves.books.get(made.key)) == (0, None)
    status, _, err = await oca("evict", "film", *admin)
    assert (status, "nothing is held of film" in err) == (1, True)


async def test_a_keeper_that_is_not_there_is_one_line_and_its_own_status():
    status, _, err = await oca("status", "--admin", "http://127.0.0.1:9")
    assert (status, len(err.splitlines())) == (6, 1)


async def test_the_example_configuration_is_right_and_a_wrong_one_says_where(tmp_path):
    assert load(ROOT / "configs" / "appliance.yaml").appliance == "north-1"
    status, out, _ = await oca("config", "check", "appliance", str(ROOT / "configs" / "appliance.yaml"))
    assert (status, out.endswith("OK\n")) == (0, True)
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("appliance: a1\nurl: http://a1\nrun_dir: run\ndisks: [{id: d1, path: a}, {id: d1, path: b}]\n")
    status, _, err = await oca("config", "check", "appliance", str(wrong))
    assert (status, "'d1' is given to two disks" in err) == (3, True)
