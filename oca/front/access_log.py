"""The access log: a line of JSON per answer, written by a thread, never waited for.

The hot path appends a tuple; twice a second what has gathered is handed to the thread, which renders,
writes and rotates. A full disk or a slow one costs lines, which are counted, and never an answer.
"""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from control.kit.logs import get_logger

if TYPE_CHECKING:
    from oca.front.connection import Connection

BATCH_LIMIT = 200_000
QUEUE_LIMIT = 8
_LINE = '{"at":%.3f,"client":"%s","path":%s,"status":%d,"bytes":%d,"ms":%.1f}\n'

Line = tuple[float, str, bytes, int, int, float]


class AccessLog:
    """One worker's log in `path`, rotated to `path.1` … `path.<keep>` at `rotate_bytes`.

    `sample` 0.1 keeps every tenth answer of status 200, 206 and 304, and every other one in full.
    """

    def __init__(self, path: Path, *, now: Callable[[], float], rotate_bytes: int, keep: int, sample: float) -> None:
        self._path = path
        self._now = now
        self._rotate_bytes = rotate_bytes
        self._keep = keep
        self._every = max(round(1 / sample), 1) if sample > 0 else 0
        self._count = 0
        self._at = now()
        self._lines: list[Line] = []
        self._batches: queue.Queue[list[Line] | None] = queue.Queue(QUEUE_LIMIT)
        self.dropped = 0
        self._log = get_logger(access_log=str(path))
        self._failing = False
        self._thread = threading.Thread(target=self._work, name="access-log", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"<AccessLog {self._path}, {len(self._lines)} lines waiting, {self.dropped} dropped>"

    def add(self, connection: Connection, sent_bytes: int, seconds: float) -> None:
        """One answer of `connection`, which took `seconds` to send."""
        if self._every != 1 and connection.status in {200, 206, 304}:
            self._count += 1
            if not self._every or self._count % self._every:
                return
        self._lines.append((self._at, connection.peer, connection.path, connection.status, sent_bytes, seconds))

    def tick(self) -> None:
        """Hand over what has gathered. When the thread is behind, lines are dropped and counted."""
        self._at = self._now()
        if not self._lines:
            return
        lines, self._lines = self._lines, []
        try:
            if len(lines) > BATCH_LIMIT:
                raise queue.Full
            self._batches.put_nowait(lines)
        except queue.Full:
            self.dropped += len(lines)

    def close(self) -> None:
        """Write what is left and end the thread, waiting a few seconds at most."""
        self.tick()
        try:
            self._batches.put(None, timeout=2.0)
        except queue.Full:
            return
        self._thread.join(timeout=5.0)

    def _work(self) -> None:
        while (lines := self._batches.get()) is not None:
            try:
                if self._append("".join([_rendered(line) for line in lines]).encode()) >= self._rotate_bytes:
                    self._rotate()
                self._recovered()
            except OSError as error:
                self.dropped += len(lines)
                self._failed(error)

    def _append(self, data: bytes) -> int:
        """Add `data` and give the file's size. Opened per batch, so that a file moved away is made anew."""
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            while data:
                data = data[os.write(descriptor, data) :]
            return os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)

    def _rotate(self) -> None:
        for number in range(self._keep, 0, -1):
            source = self._path.with_name(f"{self._path.name}.{number - 1}") if number > 1 else self._path
            if source.exists():
                source.replace(self._path.with_name(f"{self._path.name}.{number}"))
        if self._keep == 0:
            self._path.unlink()

    def _failed(self, error: OSError) -> None:
        if not self._failing:
            self._log.error("access_log_failed", error=error.strerror)
        self._failing = True

    def _recovered(self) -> None:
        if self._failing:
            self._log.info("access_log_recovered", dropped=self.dropped)
        self._failing = False


def _rendered(line: Line) -> str:
    at, client, path, status, sent_bytes, seconds = line
    return _LINE % (at, client, json.dumps(path.decode("latin-1")), status, sent_bytes, seconds * 1000)
