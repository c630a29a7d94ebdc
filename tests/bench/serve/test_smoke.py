"""The command itself, briefly: that it runs, tells what it promised, and leaves nothing. No times are judged."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from bench.serve.peers.peer import which
from bench.serve.report import BRIEF_RATIO, BRIEF_ROW

WAIT_S = 90.0
PEER = "nginx" if which("nginx") else "aiohttp"
BRIEF = ("--rounds", "1", "--seconds", "0.1", "--size", "64KiB", "--server", PEER)


def bench(*options, tmp_path):
    command = [sys.executable, "-m", "oca", "bench", "serve", *options]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )


def family_of(directory):
    """Processes that name `directory` in their command."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(directory).encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def test_the_quick_bench_prints_the_promised_figures_and_leaves_nothing(tmp_path):
    done = bench("--quick", "--json", *BRIEF, "--out", str(tmp_path / "out"), tmp_path=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert list(found) == ["rows", "ratios", "machine"]
    assert {tuple(row) for row in found["rows"]} == {BRIEF_ROW}
    assert {(row["server"], row["scheme"]) for row in found["rows"]} == {
        (server, scheme) for server in ("oca", PEER) for scheme in ("http", "https")
    }
    assert all(row["requests_per_s"] > 0 and row["cpu_us_per_request"] > 0 for row in found["rows"])
    assert all(row["failures"] == 0 for row in found["rows"]), found["rows"]
    assert [tuple(ratio) for ratio in found["ratios"]] == [BRIEF_RATIO] * 2
    whole = json.loads((tmp_path / "out" / "serve.json").read_text())
    assert {"ttfb_p999_ms", "memory_bytes", "gbit_per_cpu_percent"} <= whole["rows"][0].keys()
    assert (tmp_path / "out" / "serve.svg").read_text().startswith("<svg")
    assert family_of(tmp_path) == []
    assert not list(tmp_path.glob("oca-bench-*"))


def test_a_bench_that_is_told_to_end_ends_its_servers(tmp_path):
    command = [sys.executable, "-m", "oca", "bench", "serve", "--seconds", "600", "--server", PEER, "--scheme", "http"]
    process = subprocess.Popen(
        [*command, "--size", "64KiB"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    try:
        deadline = time.monotonic() + WAIT_S
        while len(family_of(tmp_path)) < 4:  # the guards, and a server each
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 130
    finally:
        process.kill()
        process.wait()
    assert family_of(tmp_path) == []
    assert not list(tmp_path.glob("oca-bench-*"))


def test_options_that_exclude_each_other_are_a_usage_error(tmp_path):
    done = bench("--quick", "--idle", "10", tmp_path=tmp_path)
    assert done.returncode == 2
    assert "exclude each other" in done.stderr
