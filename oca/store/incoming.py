"""An object on its way in: a temporary file that becomes an object only whole, verified and durable.

The calls block and are made from a disk's threads. A lock guards the descriptor: a writer that was
abandoned in the middle of a call can never write into a descriptor that was closed and reused.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from oca.store.identity import sync_directory


class IncomingFile:
    """A temporary file of `length` bytes, allocated in advance so that a full disk is known at once."""

    def __init__(self, path: Path, length: int) -> None:
        """Create the file. Raises OSError, with nothing left behind."""
        self.path = path
        self.length = length
        self._lock = threading.Lock()
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            if length:
                os.posix_fallocate(self._descriptor, 0, length)
        except OSError:
            self.discard()
            raise

    def __repr__(self) -> str:
        return f"<IncomingFile {self.path} of {self.length} bytes{'' if self._descriptor >= 0 else ', closed'}>"

    def write(self, offset: int, data: bytes) -> None:
        """Put `data` at `offset`. Raises OSError; ValueError after the file was closed."""
        with self._lock:
            self._check(offset, len(data))
            view = memoryview(data)
            while view:
                written = os.pwrite(self._descriptor, view, offset)
                offset += written
                view = view[written:]

    def same(self, offset: int, data: bytes) -> bool:
        """Whether the file has `data` at `offset` already."""
        with self._lock:
            self._check(offset, len(data))
            return os.pread(self._descriptor, len(data), offset) == data

    def sync(self) -> None:
        """Make the bytes durable."""
        with self._lock:
            self._check(0, 0)
            os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Close the descriptor. May be called again."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def discard(self) -> None:
        """Close and remove the file. May be called again; a file that cannot be removed goes at the next start."""
        self.close()
        try:
            self.path.unlink(missing_ok=True)
        except OSError:
            return

    def _check(self, offset: int, count: int) -> None:
        if self._descriptor < 0:
            raise ValueError(f"{self!r}: used after it was closed")
        assert 0 <= offset <= offset + count <= self.length, f"{self!r}: {count} bytes at {offset} lie outside"


def commit(batch: list[tuple[IncomingFile, Path]], syncers: ThreadPoolExecutor) -> list[OSError | None]:
    """Give each file its real name, durably; one error or None for each.

    The bytes are durable before the name exists, so a crash leaves whole objects or none. Files are synced
    side by side on the threads of `syncers`: the file system's journal commits them together.
    """
    outcomes = list(syncers.map(_synced, (file for file, _ in batch)))
    directories: dict[Path, None] = {}
    for number, (file, target) in enumerate(batch):
        outcomes[number] = outcomes[number] or _named(file, target, directories)
    for directory, error in zip(directories, syncers.map(_directory_synced, directories), strict=True):
        if error is not None:
            outcomes = [
                outcome or (error if target.is_relative_to(directory) else None)
                for outcome, (_, target) in zip(outcomes, batch, strict=True)
            ]
    return outcomes


def _synced(file: IncomingFile) -> OSError | None:
    try:
        file.sync()
    except OSError as error:
        file.discard()
        return error
    return None


def _named(file: IncomingFile, target: Path, directories: dict[Path, None]) -> OSError | None:
    """Give the file its name, with every directory whose entries that changed added to `directories`.

    The temporary name stays for a while (`Disk.sweep`): who was told of it may be about to open it.
    """
    try:
        for changed in _made_directories(target.parent):
            directories[changed] = None
        try:
            os.link(file.path, target)
        except OSError:
            file.path.rename(target)
        directories[target.parent] = None
        file.close()
    except OSError as error:
        file.discard()
        return error
    return None


def _directory_synced(directory: Path) -> OSError | None:
    try:
        sync_directory(directory)
    except FileNotFoundError:
        return None  # evicted meanwhile: there is nothing to keep
    except OSError as error:
        return error
    return None


def _made_directories(rendition: Path) -> list[Path]:
    """Make a rendition's directory and its title's, never the disk's; the directories whose entries changed."""
    changed = []
    for directory in (rendition.parent, rendition):
        try:
            directory.mkdir()
        except FileExistsError:
            continue
        changed.append(directory.parent)
    return changed
