"""The appliance's first process: binds the port, starts the keeper and the front workers, restarts what dies.

It holds the listening sockets, so a worker that crashes loses only its own connections: those still
queued are accepted by its successor. Never on the path of a byte.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path

from control.kit.clock import Clock
from control.kit.errors import Exit, UserError
from control.kit.http import bound_socket
from control.kit.logs import get_logger
from control.kit.orphan import parent_environment
from oca.config import ApplianceSettings

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
STEADY_S = 30.0
"""A child that ran this long is steady: its next crash starts the pauses anew."""
KEEPER_READY_S = 60.0
LISTEN_BACKLOG = 4096


@dataclass
class Child:
    """One process that is kept running. `arguments` follow `python -m`."""

    name: str
    arguments: tuple[str, ...]
    descriptors: tuple[int, ...] = ()
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0
    pause_s: float = FIRST_PAUSE_S
    watch: asyncio.Task[None] | None = field(default=None, repr=False)


class Supervisor:
    """A Service: `oca serve` runs it."""

    def __init__(self, config: Path, settings: ApplianceSettings, clock: Clock) -> None:
        self.name = f"supervisor of {settings.appliance}"
        self._config = config
        self._settings = settings
        self._clock = clock
        self._listeners: list[socket.socket] = []
        self._keeper = Child("keeper", ("oca.keeper", "--config", str(config)))
        self._workers: list[Child] = []
        self._stopping = False
        self._log = get_logger(supervisor=settings.appliance)

    def __repr__(self) -> str:
        running = [child.name for child in (self._keeper, *self._workers) if child.process is not None]
        return f"<Supervisor of {self._settings.appliance}: {', '.join(running)}>"

    async def start(self) -> None:
        """Bind, then start the keeper, wait for its socket, then the workers. Raises UserError."""
        self._settings.run_dir.mkdir(parents=True, exist_ok=True)
        self._listeners = listeners(self._settings)
        port = self._listeners[0].getsockname()[1]
        await self._spawn(self._keeper)
        await self._keeper_ready()
        for index, listener in enumerate(self._listeners):
            arguments = ("oca.front", str(self._config), str(index), str(listener.fileno()))
            child = Child(f"front-{index}", arguments, (listener.fileno(),))
            self._workers.append(child)
            await self._spawn(child)
        for child in (self._keeper, *self._workers):
            child.watch = asyncio.get_running_loop().create_task(self._keep_running(child), name=child.name)
        self._log.info("serving", url=self._settings.url, port=port, workers=len(self._workers))

    async def drain(self) -> None:
        """Stop accepting, let workers finish, then the keeper, which answers them until they are gone."""
        self._stopping = True
        for listener in self._listeners:
            listener.close()
        # The keeper tells steering first; it stays until its last worker has left.
        _signal(self._keeper, signal.SIGTERM)
        for worker in self._workers:
            _signal(worker, signal.SIGTERM)
        for child in (*self._workers, self._keeper):
            if child.process is not None:
                await child.process.wait()

    async def stop(self) -> None:
        """Kill what is left."""
        self._stopping = True
        for child in (*self._workers, self._keeper):
            if child.watch is not None:
                child.watch.cancel()
                await asyncio.gather(child.watch, return_exceptions=True)
            if child.process is not None and child.process.returncode is None:
                _signal(child, signal.SIGKILL)
                await child.process.wait()
        for listener in self._listeners:
            listener.close()

    async def _spawn(self, child: Child) -> None:
        child.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *child.arguments,
            pass_fds=child.descriptors,
            stdin=asyncio.subprocess.DEVNULL,
            env=parent_environment(),
        )
        self._log.info("child_started", child=child.name, pid=child.process.pid)

    async def _keeper_ready(self) -> None:
        """Wait until the keeper listens to workers. What it says on standard error is already for the user."""
        process = self._keeper.process
        assert process is not None
        deadline = self._clock.monotonic() + KEEPER_READY_S
        while not _answers(self._settings.keeper_socket):
            if process.returncode is not None:
                raise KeeperError("the keeper could not start; what it said is above", process.returncode)
            if self._clock.monotonic() > deadline:
                raise KeeperError(f"the keeper was not ready in {KEEPER_READY_S:.0f} s", int(Exit.FAILED))
            await self._clock.sleep(0.05)

    async def _keep_running(self, child: Child) -> None:
        while True:
            assert child.process is not None
            started = self._clock.monotonic()
            status = await child.process.wait()
            if self._stopping:
                return
            if self._clock.monotonic() - started > STEADY_S:
                child.pause_s = FIRST_PAUSE_S
            child.restarts += 1
            self._log.error(
                "child_died", child=child.name, status=status, restarts=child.restarts, pause_s=child.pause_s
            )
            await self._clock.sleep(child.pause_s)
            child.pause_s = min(child.pause_s * 2, LONGEST_PAUSE_S)
            await self._spawn(child)


class KeeperError(UserError):
    """The keeper could not start; its exit status becomes ours."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.exit_status = Exit(status) if status in set(Exit) else Exit.FAILED


def listeners(settings: ApplianceSettings) -> list[socket.socket]:
    """One listening socket per worker on the public address; the kernel spreads connections over them.

    SO_REUSEPORT would let a second appliance of the same user join unnoticed, so the port is first
    taken without it: in use is an error. Raises AddressError.
    """
    host, port = settings.listen.host, settings.listen.port
    what = f"{settings.appliance}: listen"
    probe = bound_socket(host, port, what=what)
    port = probe.getsockname()[1]
    probe.close()
    sockets = [bound_socket(host, port, what=what, reuse_port=True) for _ in range(settings.workers)]
    for sock in sockets:
        sock.listen(LISTEN_BACKLOG)
    return sockets


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(1.0)
        try:
            sock.connect(os.fspath(path))
        except OSError:
            return False
        return True


def _signal(child: Child, number: signal.Signals) -> None:
    if child.process is not None and child.process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            child.process.send_signal(number)
