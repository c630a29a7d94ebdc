"""Books and disks, whatever is done to them and whenever they are killed.

A crash is a copy of all directories taken while things are under way, opened anew: what a `kill -9` leaves.
"""

import asyncio
import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from control.kit.clock import SystemClock
from control.kit.quantity import Bytes
from oca.config import DiskSettings
from oca.store.disk import Disk
from oca.store.faults import DiskError, NoRoomError
from oca.store.layout import INDEX, object_path
from oca.store.ledger import Ledger
from oca.store.shelves import Shelves

CAPACITY = 20_000
RENDITIONS, OBJECTS = 3, 4

which = st.integers(0, RENDITIONS - 1)
positions = st.integers(0, OBJECTS - 1)


class Life(RuleBasedStateMachine):
    """One appliance's store through restarts and crashes. `made` is given by the test below."""

    made = ()

    @initialize()
    def begin(self):
        self.runner = asyncio.Runner()
        self.roots = []
        self.root = self._fresh_root()
        self.surely = set()
        self.tasks = set()
        self.shelves = self.runner.run(self._opened())

    def teardown(self):
        self.runner.run(self._closed())
        self.runner.close()
        for root in self.roots:
            shutil.rmtree(root, ignore_errors=True)

    # What is done

    @rule(which=which, position=positions)
    def put(self, which, position):
        if self.runner.run(self._put(which, position)):
            self.surely.add((which, position))

    @rule(which=which)
    def remove(self, which):
        self.runner.run(self.shelves.remove(self.made[which].key, lambda: None))
        self.surely = {each for each in self.surely if each[0] != which}

    @rule(which=which, position=positions)
    def remove_object(self, which, position):
        made, stored = self.made[which], self.made[which].index.at(position)
        self.runner.run(self.shelves.remove_object(made.object(stored.name), position, stored.bytes, lambda: None))
        self.surely.discard((which, position))

    @rule()
    def flush(self):
        self.runner.run(self.shelves.flush())

    @rule(which=which, position=positions)
    def lose(self, which, position):
        """Somebody removes a file by hand; it is known from the next start on."""
        made = self.made[which]
        for disk in self.shelves.disks.values():
            object_path(disk.path, made.object(made.names[position])).unlink(missing_ok=True)
        self.surely.discard((which, position))
        self.restart()

    @rule()
    def restart(self):
        self.runner.run(self._closed())
        self.shelves = self.runner.run(self._opened())

    @rule(
        doing=st.lists(st.tuples(st.sampled_from(["put", "remove"]), which, positions), min_size=1, max_size=4),
        steps=st.integers(0, 60),
    )
    def crash(self, doing, steps):
        """Begin several things, go on for some steps of the event loop, and die."""
        removed = {which for what, which, _ in doing if what == "remove"}
        self.surely = {each for each in self.surely if each[0] not in removed}
        self.runner.run(self._crashed(doing, steps))
        self.runner.run(self._closed())
        self.root = self.roots[-1]
        self.shelves = self.runner.run(self._opened())

    # What always holds

    @invariant()
    def the_books_say_what_is_there(self):
        self.shelves.books.audit()
        found = {}
        for disk in self.shelves.disks.values():
            self.runner.run(disk.sweep(everything=True))
            root = disk.path / "segments"
            files = {file.relative_to(root).as_posix(): file.read_bytes() for file in root.rglob("*") if file.is_file()}
            for key, body in files.items():
                assert body == self._true_body(key), f"{key} is not whole"
            assert disk.used_bytes == sum(map(len, files.values()))
            assert disk.promised_bytes == 0
            assert disk.used_bytes <= CAPACITY
            assert list((disk.path / "incoming").iterdir()) == []
            found |= files
        booked = {
            (made.key, made.names[position])
            for made in self.made
            if (entry := self.shelves.books.get(made.key)) is not None
            for part in entry.parts.values()
            for position in part.positions()
        }
        assert {f"{key}/{name}" for key, name in booked} == {key for key in found if not key.endswith(INDEX)}

    @invariant()
    def what_was_acknowledged_is_there(self):
        for which, position in self.surely:
            entry = self.shelves.books.get(self.made[which].key)
            assert entry is not None
            assert entry.where(position) is not None

    # How

    def _fresh_root(self):
        self.roots.append(Path(tempfile.mkdtemp(prefix="oca-crash-")))
        return self.roots[-1]

    async def _opened(self):
        disks = tuple(
            Disk(
                DiskSettings(id=name, path=self.root / name, capacity=Bytes(CAPACITY)),
                appliance="a1",
                slow_after_s=10.0,
                sync_batch=4,
            )
            for name in ("d1", "d2")
        )
        shelves = Shelves(disks, Ledger(self.root / "books.db"), SystemClock())
        await shelves.open()
        return shelves

    async def _closed(self):
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks = set()
        await self.shelves.close()

    async def _put(self, which, position):
        made, stored = self.made[which], self.made[which].index.at(position)
        try:
            incoming = await self.shelves.begin(made.object(stored.name), stored.bytes, made.index.shelved)
        except NoRoomError:
            return False
        try:
            await incoming.write(0, made.bodies[stored.name])
            await self.shelves.finish(incoming, position, stored)
        except DiskError:
            return False
        finally:
            self.shelves.discard(incoming)
        return True

    async def _crashed(self, doing, steps):
        for what, which, position in doing:
            coroutine = (
                self._put(which, position) if what == "put" else self.shelves.remove(self.made[which].key, lambda: None)
            )
            self.tasks.add(asyncio.create_task(coroutine))
        self.tasks.add(asyncio.create_task(self.shelves.flush()))
        for _ in range(steps):
            await asyncio.sleep(0)
        _copy(self.root, self._fresh_root())

    def _true_body(self, key):
        title, rendition, name = key.split("/")
        made = next(made for made in self.made if made.key == (title, rendition))
        return made.index_body if name == INDEX else made.bodies[name]


def _copy(source, target):
    """Copy what is there; what comes or goes meanwhile may be missed, as a crash may miss it."""
    for place, _, files in os.walk(source):
        to = target / Path(place).relative_to(source)
        to.mkdir(parents=True, exist_ok=True)
        for file in files:
            with contextlib.suppress(FileNotFoundError):
                shutil.copy2(Path(place) / file, to / file)


def test_nothing_is_half_written_and_the_accounts_are_exact_whenever_it_is_killed(world):
    made = tuple(world.made(f"film-{number}", sizes=(100, 2000, 3000, 2500)) for number in range(RENDITIONS))
    machine = type("Case", (Life,), {"made": made}).TestCase
    machine.settings = settings(max_examples=12, stateful_step_count=10, deadline=None)
    machine().runTest()
