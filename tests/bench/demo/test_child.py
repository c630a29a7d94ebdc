"""One process with everything it starts: started, drained, killed, never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bench.demo.child import Child, last_words, tail

LIMIT_S = 15.0
STUBBORN = "import signal; signal.signal(15, signal.SIG_IGN); print('child', flush=True); signal.pause()"
FAMILY = f"""
import signal, subprocess, sys
subprocess.Popen([sys.executable, "-c", {STUBBORN!r}])
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
while True: signal.pause()
"""
PARENT = """
import asyncio, pathlib, sys
from bench.demo.child import Child
async def main():
    child = Child("c", (sys.executable, "-c", sys.argv[1]), pathlib.Path(sys.argv[2]))
    await child.start()
    print(child.pid, flush=True)
    await child.ended()
asyncio.run(main())
"""


async def until(holds: Callable[[], object]) -> None:
    deadline = asyncio.get_running_loop().time() + LIMIT_S
    while not holds():
        assert asyncio.get_running_loop().time() < deadline, "waited too long"
        await asyncio.sleep(0.01)


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Callable[[str], Child]]:
    made: list[Child] = []

    def child(program: str) -> Child:
        made.append(Child("probe", (sys.executable, "-c", program), tmp_path / "log"))
        return made[-1]

    yield child
    for each in made:
        await each.kill()


async def test_a_kill_takes_the_whole_group(run: Callable[[str], Child]) -> None:
    child = run(FAMILY)
    await child.start()
    await until(lambda: child.tail() == ["child"])
    assert len(child.members()) == 2
    await child.kill()
    assert (child.members(), child.running) == ({}, False)
    assert await child.ended() is None


async def test_a_stop_lets_the_leader_drain_and_leaves_no_member_behind(run: Callable[[str], Child]) -> None:
    child = run(FAMILY)
    await child.start()
    await until(lambda: child.tail() == ["child"])
    await child.stop(LIMIT_S)
    assert child.members() == {}


async def test_a_stop_that_is_not_heeded_becomes_a_kill(run: Callable[[str], Child]) -> None:
    child = run(STUBBORN)
    await child.start()
    await until(lambda: child.tail() == ["child"])
    await child.stop(0.05)
    assert not child.running


async def test_an_end_of_its_own_is_told_with_its_status_and_last_words(run: Callable[[str], Child]) -> None:
    child = run("import sys; print('starting'); sys.exit('oca: f.yaml:3: url: is required')")
    await child.start()
    assert await asyncio.wait_for(child.ended(), LIMIT_S) == 1
    assert last_words(child.tail()) == "f.yaml:3: url: is required"


async def test_a_child_can_be_started_again_and_its_log_goes_on(run: Callable[[str], Child]) -> None:
    child = run("print('hello')")
    for _ in range(2):
        await child.start()
        assert await asyncio.wait_for(child.ended(), LIMIT_S) == 0
    assert child.tail() == ["hello", "hello"]


async def test_the_end_of_a_killed_life_is_not_taken_for_a_failure_of_the_next(run: Callable[[str], Child]) -> None:
    child = run(STUBBORN)
    await child.start()
    first = asyncio.ensure_future(child.ended())
    await asyncio.sleep(0)
    await child.kill()
    await child.start()
    assert await asyncio.wait_for(first, LIMIT_S) is None
    assert child.running


async def test_a_child_dies_when_we_are_killed(tmp_path: Path) -> None:
    command = (sys.executable, "-c", PARENT, STUBBORN, str(tmp_path / "log"))
    parent = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await asyncio.wait_for(parent.stdout.readline(), LIMIT_S))
    await until(lambda: tail(tmp_path / "log") == ["child"])
    parent.send_signal(signal.SIGKILL)
    await parent.communicate()

    def gone() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
        except FileNotFoundError:
            return True

    await until(gone)
    assert os.getpid() != pid


def test_the_tail_of_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert tail(tmp_path / "log") == []
    assert last_words([]) == "it said nothing"
