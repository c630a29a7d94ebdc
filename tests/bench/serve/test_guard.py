import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.serve.process import Running

WAIT_S = 15.0
ORPHAN = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
    "print(child.pid, flush=True)\n"
)


def until(condition, what):
    deadline = time.monotonic() + WAIT_S
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.01)
    return found


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.fixture
def running(tmp_path):
    started = []

    def start(code):
        core = min(os.sched_getaffinity(0))
        process = Running([sys.executable, "-c", code], core=core, log=tmp_path / "log")
        started.append(process)
        return process

    yield start
    for process in started:
        process.stop()


def test_a_command_runs_on_its_core_and_its_whole_family_is_known(running):
    process = running(ORPHAN + "time.sleep(600)")
    pids = until(lambda: len(process.pids()) == 2 and process.pids(), "two processes")
    assert {os.sched_getaffinity(pid) == {min(os.sched_getaffinity(0))} for pid in pids} == {True}


def test_stopping_ends_children_that_left_the_session(running):
    process = running(ORPHAN + "time.sleep(600)")
    until(lambda: len(process.pids()) == 2, "two processes")
    pids = process.pids()
    process.stop()
    assert not any(alive(pid) for pid in pids)


def test_a_command_that_ends_by_itself_takes_its_orphans_along_and_is_said_to_have_ended(running):
    process = running(ORPHAN + "sys.exit(3)")
    until(lambda: not process.running, "the end")
    orphan = int(process.log.read_text())
    assert not alive(orphan)


def test_when_the_holder_is_killed_nothing_stays(tmp_path):
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom bench.serve.process import Running\n"
        f"command = [sys.executable, '-c', {ORPHAN + 'time.sleep(600)'!r}]\n"
        f"process = Running(command, core={min(os.sched_getaffinity(0))}, log=Path({str(tmp_path / 'log')!r}))\n"
        "while len(process.pids()) < 2: time.sleep(0.01)\n"
        "print(*process.pids(), flush=True)\ntime.sleep(600)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    with holder:
        pids = [int(word) for word in holder.stdout.readline().split()]
        assert len(pids) == 2
        holder.send_signal(signal.SIGKILL)
    until(lambda: not any(alive(pid) for pid in pids), "their end")
