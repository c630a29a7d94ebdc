"""The keeper's end of the link to its front workers: a Unix socket, one connection per worker.

Bytes to messages and to whoever answers them. A connection that brings messages that are not ours is cut.
"""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import Protocol

from control.kit.errors import StorageError
from control.kit.logs import get_logger
from control.kit.metrics import Meter
from oca.keeper.workers import WorkerLink, Workers
from oca.link import messages as link

WANTS_LIMIT = 4096
"""Objects one worker may be waiting for an answer to."""
READ_BYTES = 64 * 1024


class Desk(Protocol):
    """Who answers what workers say."""

    async def want(self, worker: WorkerLink, want: link.Want) -> None:
        """`worker` asks for an object."""

    def served(self, worker: WorkerLink, served: link.Served) -> None:
        """`worker` tells what it served."""

    def left(self, worker: WorkerLink) -> None:
        """`worker` waits for nothing any more."""


class LinkServer:
    """Every worker's connection. Lifetime of the process."""

    def __init__(self, path: Path, workers: Workers, desk: Desk, meter: Meter) -> None:
        self._path = path
        self._workers = workers
        self._desk = desk
        self._meter = meter
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._log = get_logger()

    def __repr__(self) -> str:
        return f"<LinkServer {self._path}, {self._workers!r}>"

    async def start(self) -> None:
        """Listen; only when the disks are ready, for workers are welcomed at once. Raises StorageError."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._path.unlink(missing_ok=True)
            sock.bind(os.fspath(self._path))
            self._path.chmod(0o600)
            sock.setblocking(False)
            self._server = await asyncio.start_unix_server(self._accepted, sock=sock, backlog=256)
        except OSError as error:
            sock.close()
            raise StorageError(f"{self._path}: the workers' socket cannot be made: {error.strerror}") from error

    async def stop(self) -> None:
        """Cut every worker and stop listening."""
        if self._server is not None:
            self._server.close()
        for worker in self._workers:
            worker.cut()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None
            self._path.unlink(missing_ok=True)

    # One worker

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=0)
        worker: WorkerLink | None = None
        try:
            deframer = link.Deframer()
            while data := await reader.read(READ_BYTES):
                for message in deframer.feed(data):
                    if worker is None:
                        worker = self._welcomed(writer, message)
                    else:
                        self._hear(worker, message)
        except ConnectionError:
            pass  # the worker died; its successor will say Hello
        except (ValueError, AssertionError) as error:
            self._meter.inc("oca_workers_cut_total")
            self._log.error("worker_spoke_nonsense", error=str(error))
        finally:
            if worker is not None:
                await self._farewell(worker)
            writer.transport.abort()

    def _welcomed(self, writer: asyncio.StreamWriter, message: link.Message) -> WorkerLink:
        if not isinstance(message, link.Hello):
            raise ValueError(f"a worker began with {type(message).__name__}, not with Hello")
        worker = WorkerLink(writer, message)
        self._workers.welcome(worker)
        self._log.info("worker_linked", worker=worker.worker, pid=worker.pid)
        return worker

    async def _farewell(self, worker: WorkerLink) -> None:
        self._workers.farewell(worker)
        self._desk.left(worker)
        for task in worker.wants:
            task.cancel()
        await asyncio.gather(*worker.wants, return_exceptions=True)
        self._log.info("worker_left", worker=worker.worker, pid=worker.pid)

    def _hear(self, worker: WorkerLink, message: link.Message) -> None:
        match message:
            case link.Want():
                if len(worker.wants) >= WANTS_LIMIT:
                    worker.refused(message.key, 503, "too many objects are waited for")
                    return
                task = asyncio.get_running_loop().create_task(self._wanted(worker, message))
                worker.wants.add(task)
                task.add_done_callback(worker.wants.discard)
            case link.Served():
                worker.connections = message.connections
                self._desk.served(worker, message)
            case _:
                raise ValueError(f"a worker does not say {type(message).__name__}")

    async def _wanted(self, worker: WorkerLink, message: link.Want) -> None:
        try:
            await self._desk.want(worker, message)
        except Exception:
            self._log.exception("want_crashed", key=message.key)
            worker.refused(message.key, 500, "internal error; see the keeper's log")
