"""The appliance's first process: binds the ports, keeps the keeper and the front workers running, replaces them.

It holds the listening sockets, so a worker that crashes loses only its own connections: those still
queued are accepted by its successor. For the same reason a new build, a new configuration or new
certificates (SIGHUP) cost no request: new workers accept on the same sockets before the old ones retire,
and a generation that cannot start replaces nothing. Never on the path of a byte.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
from pathlib import Path

from control.kit.clock import Clock
from control.kit.errors import ConfigError, Exit, UserError
from control.kit.logs import get_logger
from control.kit.sockets import bound_socket
from oca.child import Child
from oca.config import ApplianceSettings, load

KEEPER_READY_S = 60.0
WORKER_READY_S = 30.0
LISTEN_BACKLOG = 4096


class Supervisor:
    """A Service: `oca serve` runs it."""

    def __init__(self, config: Path, settings: ApplianceSettings, clock: Clock) -> None:
        self.name = f"supervisor of {settings.appliance}"
        self._config = config
        self._settings = settings
        self._clock = clock
        self._listeners: list[tuple[socket.socket, ...]] = []
        self._keeper = Child("keeper", ("oca.keeper", "--config", str(config)), (), clock)
        self._workers: list[Child] = []
        self._retired: list[Child] = []
        self._replacing = asyncio.Lock()
        self._reload: asyncio.Task[None] | None = None
        self._reload_asked = False
        self._log = get_logger(supervisor=settings.appliance)

    def __repr__(self) -> str:
        return f"<Supervisor of {self._settings.appliance}: {[self._keeper, *self._workers]!r}>"

    async def start(self) -> None:
        """Bind, start the keeper, wait for its socket, then the workers. Raises UserError."""
        settings = self._settings
        settings.run_dir.mkdir(parents=True, exist_ok=True)
        self._listeners = listeners(settings)
        make_secret(settings.ticket_secret)
        await self._keeper.spawn()
        await self._keeper_ready()
        self._workers = await self._generation()
        for child in (self._keeper, *self._workers):
            child.keep_running()
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._on_hangup)
        settings.supervisor_pid.write_text(f"{os.getpid()}\n")
        port = self._listeners[0][0].getsockname()[1]
        self._log.info("serving", url=settings.url, port=port, workers=len(self._workers), tls=settings.tls is not None)

    async def replace_workers(self) -> None:
        """Put a new generation of workers in place of the present one. Raises UserError when it cannot start."""
        async with self._replacing:
            self._same_shape(load(self._config))
            fresh = await self._generation()
            old, self._workers = self._workers, fresh
            for child in fresh:
                child.keep_running()
            for child in old:
                child.let_go()
                child.signal(signal.SIGUSR1)
            self._retired = [child for child in (*self._retired, *old) if child.running]
            self._log.info("workers_replaced", workers=len(fresh), retiring=len(self._retired))

    async def drain(self) -> None:
        """Stop accepting, let workers finish, then the keeper, which answers them until they are gone."""
        if self._reload is not None:
            self._reload.cancel()
        children = [*self._workers, *self._retired, self._keeper]
        for child in children:
            child.let_go()
        self._close_listeners()
        # The keeper tells steering first; it stays until its last worker has left.
        for child in (self._keeper, *self._workers, *self._retired):
            child.signal(signal.SIGTERM)
        for child in children:
            await child.ended()

    async def stop(self) -> None:
        """Kill what is left."""
        for child in (*self._workers, *self._retired, self._keeper):
            await child.kill()
        self._close_listeners()
        self._settings.supervisor_pid.unlink(missing_ok=True)

    # -- starting -----------------------------------------------------------------------------------

    async def _keeper_ready(self) -> None:
        """Wait until the keeper listens to workers. What it says on standard error is already for the user."""
        deadline = self._clock.monotonic() + KEEPER_READY_S
        while not answers(self._settings.keeper_socket):
            if not self._keeper.running:
                raise ChildError("the keeper could not start; what it said is above", self._keeper.status)
            if self._clock.monotonic() > deadline:
                raise ChildError(f"the keeper was not ready in {KEEPER_READY_S:.0f} s", Exit.FAILED)
            await self._clock.sleep(0.05)

    async def _generation(self) -> list[Child]:
        """New workers, all of them ready. Raises ChildError and leaves none behind when one is not."""
        workers: list[Child] = []
        try:
            for index, sockets in enumerate(self._listeners):
                workers.append(await self._worker(index, tuple(sock.fileno() for sock in sockets)))
        except BaseException:
            for child in workers:
                await child.kill()
            raise
        return workers

    async def _worker(self, index: int, descriptors: tuple[int, ...]) -> Child:
        arguments = ("oca.front", str(self._config), str(index))
        child = Child(f"front-{index}", arguments, descriptors, self._clock)
        if not await child.spawn_ready(WORKER_READY_S):
            await child.kill()
            raise ChildError(f"{child.name} could not start; what it said is above", child.status)
        return child

    # -- replacing ----------------------------------------------------------------------------------

    def _on_hangup(self) -> None:
        self._reload_asked = True
        if self._reload is None or self._reload.done():
            self._reload = asyncio.get_running_loop().create_task(self._reload_all(), name="reload")

    async def _reload_all(self) -> None:
        """Reload until nobody asked again meanwhile: what was changed last must be what runs."""
        while self._reload_asked:
            self._reload_asked = False
            try:
                await self.replace_workers()
            except UserError as error:
                self._log.error("reload_refused", error=str(error), kept="the workers that run")

    def _same_shape(self, fresh: ApplianceSettings) -> None:
        """What a reload cannot change: sockets and disks belong to processes that stay."""
        now = self._settings
        for name in ("appliance", "listen", "admin", "run_dir", "workers", "disks"):
            if getattr(fresh, name) != getattr(now, name):
                raise ConfigError(f"{self._config}: {name}: a reload cannot change it; restart the appliance")
        ports = [each.tls.listen if each.tls else None for each in (fresh, now)]
        if ports[0] != ports[1]:
            raise ConfigError(f"{self._config}: tls.listen: a reload cannot change it; restart the appliance")

    def _close_listeners(self) -> None:
        for sockets in self._listeners:
            for sock in sockets:
                sock.close()
        self._listeners = []


class ChildError(UserError):
    """A child could not start; its exit status becomes ours."""

    def __init__(self, message: str, status: int | None) -> None:
        super().__init__(message)
        self.exit_status = Exit(status) if status in set(Exit) and status != 0 else Exit.FAILED


def listeners(settings: ApplianceSettings) -> list[tuple[socket.socket, ...]]:
    """Per worker its listening sockets: HTTP, then HTTPS where configured. The kernel spreads connections.

    SO_REUSEPORT would let a second appliance of the same user join unnoticed, so each port is first
    taken without it: in use is an error. Raises AddressError.
    """
    addresses = [(settings.listen, "listen")]
    if settings.tls is not None:
        addresses.append((settings.tls.listen, "tls.listen"))
    columns: list[list[socket.socket]] = []
    for listen, key in addresses:
        what = f"{settings.appliance}: {key}"
        probe = bound_socket(listen.host, listen.port, what=what)
        port = probe.getsockname()[1]
        probe.close()
        columns.append([bound_socket(listen.host, port, what=what, reuse_port=True) for _ in range(settings.workers)])
    for column in columns:
        for sock in column:
            sock.listen(LISTEN_BACKLOG)
    return list(zip(*columns, strict=True))


def make_secret(path: Path) -> None:
    """Leave a secret at `path`, readable to us alone, unless there is one."""
    if path.exists():
        return
    partial = path.with_suffix(".new")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(secrets.token_bytes(32))
    partial.replace(path)


def answers(path: Path) -> bool:
    """Whether something accepts on the Unix socket at `path`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(1.0)
        try:
            sock.connect(os.fspath(path))
        except OSError:
            return False
        return True
