from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from control.kit.errors import Exit
from control.wire import Title
from oca.cli import main

OCA = [sys.executable, "-c", "from oca.cli import main; main()"]
RUNGS = ["--rung", "180p:150kbps", "--rung", "240p:250kbps"]
DEMO = ["ingest", "--demo", "--synthetic", "--title", "tiny", "--seconds", "8", "--preset", "ultrafast", *RUNGS]


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    output: str
    errors: str


Oca = Callable[..., Done]


@pytest.fixture
def oca(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs the command in this process."""

    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["oca", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        return Done(ended.value.code, *capfd.readouterr())

    return run


@pytest.mark.media
def test_the_demo_title_is_published_and_told_as_json_and_as_a_table(oca: Oca, made: Any, tmp_path: Path) -> None:
    where = ["--store", tmp_path / "store", "--cache", made.cache]
    done = oca(*DEMO, "--json", *where)
    assert (done.status, done.errors) == (0, "")
    answer = msgspec.json.decode(done.output)
    assert msgspec.convert(answer["title"], Title).id == "tiny"
    assert (answer["changed"], answer["cached"]) == (True, True)
    assert set(answer["seconds"]) >= {"look in cache", "publish"}
    again = oca(*DEMO, *where)
    assert (again.status, again.errors) == (0, "")
    assert "already published, nothing changed" in again.output


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--demo", "film.mp4"], Exit.USAGE, "either a FILE or --demo"),
        ([], Exit.USAGE, "either a FILE or --demo"),
        (["--demo", "--title", "../x"], Exit.USAGE, "--title"),
        (["--demo", "--rung", "big"], Exit.USAGE, "720p:2500kbps"),
        (["/there/is/no.mp4"], Exit.USAGE, "oca: /there/is/no.mp4: cannot be read: No such file or directory"),
    ],
)
def test_a_wrong_call_is_one_line_and_no_traceback(
    oca: Oca, tmp_path: Path, arguments: list[str], status: Exit, said: str
) -> None:
    done = oca("ingest", "--store", tmp_path / "store", "--cache", tmp_path / "cache", *arguments)
    assert done.status == status
    assert said in done.errors
    assert "Traceback" not in done.errors
    assert not (tmp_path / "store").exists()


def test_a_configuration_can_be_checked_without_running(oca: Oca, tmp_path: Path) -> None:
    path = tmp_path / "origin.yaml"
    path.write_text(f"store: {tmp_path}")
    assert oca("origin", "--config", path, "--check").output == f"{path}: OK\n"
    path.write_text("stoer: x")
    assert oca("origin", "--config", path, "--check").status == Exit.CONFIG


def test_a_missing_store_ends_the_origin_with_the_storage_status(tmp_path: Path) -> None:
    path = tmp_path / "origin.yaml"
    path.write_text(f"{{store: {tmp_path}/none, listen: {{port: 0}}}}")
    command = [*OCA, "origin", "--config", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == Exit.STORAGE
    assert done.stderr.startswith("oca: store ")


def test_the_origin_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    path = tmp_path / "origin.yaml"
    path.write_text(f"{{store: {tmp_path}, listen: {{port: 0}}}}")
    command = [*OCA, "origin", "--config", str(path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        listening = msgspec.json.decode(process.stderr.readline())
        with urllib.request.urlopen(f"{listening['url']}/readyz", timeout=10) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == Exit.OK


@pytest.mark.media
def test_an_ingest_told_to_stop_leaves_nothing_behind(tmp_path: Path) -> None:
    where = ["--store", str(tmp_path / "store"), "--cache", str(tmp_path / "cache")]
    slow = ["ingest", "--demo", "--synthetic", "--seconds", "60", "--preset", "slower", *RUNGS, *where]
    with subprocess.Popen([*OCA, *slow]) as process:
        deadline = time.monotonic() + 30
        while not list(tmp_path.glob("cache/.building-*/v180p.mp4")) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == Exit.INTERRUPTED
    assert not list(tmp_path.glob("cache/.building-*"))
    assert not (tmp_path / "store").exists()
