"""The servers of one bench: started, waited for, accounted, and stopped in any case."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.serve import accounting
from bench.serve.accounting import Memory
from bench.serve.cells import Scheme, State
from bench.serve.machine import Cores
from bench.serve.peers.file_servers import static_server
from bench.serve.peers.peer import Peer, Place
from bench.serve.process import Running, StartError

HOST = "127.0.0.1"
READY_S = 60.0
ASK_S = 10.0
LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class Server:
    """A peer that runs."""

    peer: Peer
    place: Place
    processes: tuple[Running, ...]

    @property
    def name(self) -> str:
        """The peer's name."""
        return self.peer.name

    def address(self, scheme: Scheme) -> tuple[str, int]:
        """Where it listens."""
        return HOST, self.place.http_port if scheme == "http" else self.place.https_port

    def takes(self, scheme: Scheme, state: State) -> bool:
        """Whether it has a part in cells of `scheme` and `state`."""
        return scheme in self.peer.schemes and state in self.peer.states

    def cpu_ns(self) -> dict[int, int]:
        """Thread → nanoseconds on a core, over all its processes."""
        return accounting.cpu_ns(self._pids())

    def memory(self) -> Memory:
        """Memory of all its processes."""
        return accounting.memory(self._pids())

    def check(self) -> None:
        """Raises StartError when one of its processes has ended."""
        for process in self.processes:
            if not process.running:
                raise StartError(f"{self.name} ended: {process.last_words()}")

    def _pids(self) -> list[int]:
        return [pid for process in self.processes for pid in process.pids()]


@dataclass(frozen=True, slots=True)
class Setting:
    """What all servers of a bench share: where they live, what they serve, and the core they have."""

    directory: Path
    disk: Path
    chain: Path
    key: Path
    cores: Cores
    descriptors: int


class Fleet:
    """Starts servers one by one. A context manager: leaving it stops them all."""

    def __init__(self, setting: Setting, *, monotonic: Callable[[], float], pause: Callable[[float], None]) -> None:
        self._setting = setting
        self._monotonic = monotonic
        self._pause = pause
        self._stops = contextlib.ExitStack()
        self._backend = 0

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_: object) -> None:
        self._stops.close()

    def start(self, peer: Peer, probe: str) -> Server:
        """Start `peer` and wait until it answers for the path `probe`. Raises StartError."""
        place = self._place(peer, probe)
        plan = peer.prepare(place)
        for directory in plan.elsewhere:
            self._stops.callback(shutil.rmtree, directory, ignore_errors=True)
        server = self._run(plan.server, place.directory / "output.log", self._setting.cores.server)
        for scheme in peer.schemes:
            port = place.http_port if scheme == "http" else place.https_port
            self._until_answers(scheme, port, probe, peer.name, server)
        beside = [
            self._run(command, place.directory / f"beside-{number}.log", self._setting.cores.server)
            for number, command in enumerate(plan.beside)
        ]
        return Server(peer, place, (server, *beside))

    def _place(self, peer: Peer, probe: str) -> Place:
        setting = self._setting
        directory = setting.directory / peer.name
        directory.mkdir()
        backend_port = self._behind(probe) if peer.caches else 0
        http_port, https_port, admin_port = free_ports(3)
        return Place(
            directory=directory,
            disk=setting.disk,
            chain=setting.chain,
            key=setting.key,
            http_port=http_port,
            https_port=https_port,
            admin_port=admin_port,
            backend_port=backend_port,
            descriptors=setting.descriptors,
            root=os.geteuid() == 0,
        )

    def _behind(self, probe: str) -> int:
        """The port of the static server behind the caches, started with the first of them. It is not measured."""
        if not self._backend:
            (port,) = free_ports(1)
            setting = self._setting
            command = static_server(str(setting.disk / "segments"), port)
            process = self._run(command, setting.directory / "backend.log", setting.cores.client)
            self._until_answers("http", port, probe, "the static server behind the caches", process)
            self._backend = port
        return self._backend

    def _run(self, command: tuple[str, ...], log: Path, core: int) -> Running:
        process = Running(command, core=core, log=log)
        self._stops.callback(process.stop)
        return process

    def _until_answers(self, scheme: Scheme, port: int, path: str, name: str, process: Running) -> None:
        deadline = self._monotonic() + READY_S
        while not answers(scheme, port, path):
            if not process.running:
                raise StartError(f"{name} could not start: {process.last_words()}")
            if self._monotonic() > deadline:
                raise StartError(f"{name} did not answer in {READY_S:.0f} s: {process.last_words()}")
            self._pause(LOOK_S)


def answers(scheme: Scheme, port: int, path: str) -> bool:
    """Whether a server gives 200 for `path`, read whole."""
    connection: http.client.HTTPConnection
    if scheme == "https":
        connection = http.client.HTTPSConnection(HOST, port, timeout=ASK_S, context=trusting())
    else:
        connection = http.client.HTTPConnection(HOST, port, timeout=ASK_S)
    with contextlib.closing(connection):
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            return False
        return response.status == 200


def trusting() -> ssl.SSLContext:
    """A client's context for servers with a certificate of the bench's own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for sock in sockets:
            sock.bind((HOST, 0))
        return [sock.getsockname()[1] for sock in sockets]
