"""The settings of the control plane, and the process that starts on them."""

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from control.app import ControlPlane
from control.cli import control
from control.config import load
from control.kit.clock import SystemClock
from control.kit.errors import AddressError, ConfigError, StorageError

CONFIGS = Path(__file__).parents[2] / "configs"


def written(tmp_path, text):
    path = tmp_path / "control.yaml"
    path.write_text(text)
    return path


def test_the_file_in_configs_can_be_used_as_it_is():
    settings = load(CONFIGS / "control.yaml")
    assert settings.listen.port == 8201


def test_check_says_ok(tmp_path):
    config = written(tmp_path, "database: here.db\n")
    result = CliRunner().invoke(control, ["--config", str(config), "--check"])
    assert result.exit_code == 0
    assert result.output.startswith(f"{config}: OK")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "database: is required and missing"),
        ("database: x\nlisten: {host: 0.0.0.0, port: 1}", "url: is needed when listening on 0.0.0.0"),
        ("database: x\ncatalog_poll: 0", "catalog_poll: must be more than 0"),
        ("database: x\nresume: {restarted: 0.9, completed: 0.5}", "restarted must be less than completed"),
        ("database: x\nlimits: {pathways: 1}", "limits.pathways"),
        ("database: x\norigin_url: nowhere", "origin_url"),
        ("database: x\ncatalogue_poll: 5s", "catalogue_poll: unknown key"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path, text, words):
    with pytest.raises(ConfigError, match=words):
        load(written(tmp_path, text))


async def test_a_port_in_use_is_said_before_the_database_is_touched(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = written(tmp_path, f"listen: {{port: {port}}}\ndatabase: {tmp_path / 'a.db'}\n")
        plane = ControlPlane(load(config), SystemClock())
        with pytest.raises(AddressError, match="in use"):
            await plane.start()
        await plane.stop()
    assert not (tmp_path / "a.db").exists()


async def test_a_database_held_by_another_process_is_said_and_the_port_given_back(tmp_path):
    config = written(tmp_path, f"listen: {{port: 0}}\ndatabase: {tmp_path / 'a.db'}\n")
    first, second = ControlPlane(load(config), SystemClock()), ControlPlane(load(config), SystemClock())
    await first.start()
    with pytest.raises(StorageError, match="another process holds it"):
        await second.start()
    await second.stop()
    await first.stop()
    await ControlPlane(load(config), SystemClock()).stop()


async def test_a_database_directory_that_is_missing_is_said(tmp_path):
    config = written(tmp_path, f"listen: {{port: 0}}\ndatabase: {tmp_path / 'no' / 'a.db'}\n")
    plane = ControlPlane(load(config), SystemClock())
    with pytest.raises(StorageError, match="does not exist; create it"):
        await plane.start()
    await plane.stop()
