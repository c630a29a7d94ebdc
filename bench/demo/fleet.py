"""The whole system as processes of this machine: started, watched, killed and started again by name.

Used by the demo, the stories and the browser tests. What is done with the fleet is never here.

    async with Fleet(root, store=store) as fleet:
        fleet.url("control")
        await fleet.kill("north-1")
        await fleet.start("north-1")
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import aiohttp

from bench.demo.child import Child, ChildError, last_words
from bench.demo.configuration import COMMANDS, configurations
from bench.demo.layout import NAMES, Addresses, addresses, is_free
from control.kit.errors import StorageError

T = TypeVar("T")

PLAYERS = Path(sys.prefix) / "share" / "oca" / "players"
"""Where configs/setup/players.sh puts the web page's players."""
READY_LIMIT_S = 45.0
DRAIN_LIMIT_S = 10.0
ASK_LIMIT_S = 2.0
POLL_S = 0.05


class Fleet:
    """Origin, control, steering, fill and every appliance of `layout`, each a process group of its own.

    `root` gets their configurations, logs, books and disks; `store` is the origin's. `port_base` as in
    `layout.addresses`. A process that ends unasked is not started again: `failures` has its last words,
    and `on_failure` is called with them.
    """

    def __init__(
        self,
        root: Path,
        *,
        store: Path,
        port_base: int | None = None,
        on_failure: Callable[[str], None] | None = None,
        ready_limit_s: float = READY_LIMIT_S,
    ) -> None:
        self.root = root.absolute()
        self.store = store.absolute()
        self.addresses: Addresses = addresses(port_base, is_free=is_free, rng=random.Random())
        self.failures: dict[str, str] = {}
        self._on_failure = on_failure
        self._ready_limit_s = ready_limit_s
        self._children: dict[str, Child] = {}
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"<Fleet {', '.join(map(repr, self._children.values()))}>"

    async def __aenter__(self) -> Fleet:
        self.write_configurations()
        try:
            await self.start(*NAMES)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def write_configurations(self) -> None:
        """Write every process's YAML below `root`. Raises StorageError."""
        try:
            for name, text in configurations(self.root, self.store, self.addresses, players=PLAYERS).items():
                (self.root / name).mkdir(parents=True, exist_ok=True)
                self.configuration(name).write_text(text, encoding="utf-8")
        except OSError as error:
            raise StorageError(f"{self.root}: cannot be written: {error.strerror}") from error
        for name in NAMES:
            self._children[name] = Child(name, self.command(name), self.log(name))

    def url(self, name: str) -> str:
        """Base URL of a service, or of an appliance's public side."""
        return self.addresses[name].url

    def admin_url(self, name: str) -> str:
        """Where /readyz and /metrics of a process are: an appliance's keeper, or the service itself."""
        return self.addresses.get(f"{name}/admin", self.addresses[name]).url

    def configuration(self, name: str) -> Path:
        """The YAML file of a process."""
        return self.root / name / "config.yaml"

    def log(self, name: str) -> Path:
        """The file with all a process has written."""
        return self.root / name / "log"

    def command(self, name: str) -> tuple[str, ...]:
        """The command line of a process."""
        return (*oca(), COMMANDS[name], "--config", str(self.configuration(name)))

    def child(self, name: str) -> Child:
        """The process itself."""
        return self._children[name]

    async def start(self, *names: str) -> None:
        """Start processes and wait until all are ready. Raises ChildError with the log of one that is not."""
        for name in names:
            self.failures.pop(name, None)
            await self._children[name].start()
            self._watches[name] = asyncio.get_running_loop().create_task(self._watch(name), name=f"watch {name}")
        await asyncio.gather(*(self.ready(name) for name in names))

    async def stop(self, *names: str) -> None:
        """Drain processes (SIGTERM); what has not ended in time is killed."""
        await asyncio.gather(*(self._children[name].stop(DRAIN_LIMIT_S) for name in names))

    async def kill(self, *names: str) -> None:
        """SIGKILL processes with everything they started."""
        await asyncio.gather(*(self._children[name].kill() for name in names))

    async def restart(self, *names: str) -> None:
        """Drain processes, start them again, wait until they are ready."""
        await self.stop(*names)
        await self.start(*names)

    async def ready(self, name: str) -> None:
        """Wait until /readyz says so. Raises ChildError when it ends instead or takes too long."""
        deadline = asyncio.get_running_loop().time() + self._ready_limit_s
        while (waiting_for := await self._waiting_for(name)) is not None:
            if name in self.failures:
                raise ChildError(self.failures[name])
            if asyncio.get_running_loop().time() > deadline:
                words = f"{name} was not ready in {self._ready_limit_s:g} s, waiting for: {waiting_for}"
                raise ChildError(f"{words}; {last_words(self._children[name].tail())}")
            await asyncio.sleep(POLL_S)

    async def guard(self, work: Awaitable[T]) -> T:
        """The result of `work`, unless a process ends unasked meanwhile: then ChildError with its last words."""
        task = asyncio.ensure_future(work)
        watches = [watch for watch in self._watches.values() if not watch.done()]
        try:
            while not task.done():
                self.check()
                await asyncio.wait([task, *watches], return_when=asyncio.FIRST_COMPLETED)
                watches = [watch for watch in self._watches.values() if not watch.done()]
            self.check()
            return task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def check(self) -> None:
        """Raise ChildError when a process has ended unasked."""
        for words in self.failures.values():
            raise ChildError(words)

    async def close(self) -> None:
        """End every process and wait until none is left."""
        try:
            await asyncio.gather(*(child.stop(DRAIN_LIMIT_S) for child in self._children.values()))
        finally:
            for child in self._children.values():
                await child.kill()
            await asyncio.gather(*self._watches.values(), return_exceptions=True)
            if self._session is not None:
                await self._session.close()
                self._session = None

    async def _watch(self, name: str) -> None:
        child = self._children[name]
        status = await child.ended()
        if status is None:
            return
        await child.kill()
        ended = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        words = f"{name} {ended}: {last_words(child.tail())} (log: {child.log})"
        self.failures[name] = words
        if self._on_failure is not None:
            self._on_failure(words)

    async def _waiting_for(self, name: str) -> str | None:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ASK_LIMIT_S))
        try:
            async with self._session.get(self.admin_url(name) + "/readyz") as answer:
                if answer.status == 200:
                    return None
                return (await answer.text())[:500]
        except (aiohttp.ClientError, asyncio.TimeoutError) as error:
            return str(error) or type(error).__name__


def oca() -> tuple[str, ...]:
    """The command line of the `oca` that belongs to this Python."""
    script = Path(sys.executable).with_name("oca")
    return (str(script),) if script.exists() else (sys.executable, "-c", "from oca.cli import main; main()")
