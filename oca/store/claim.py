"""Taking a directory as our disk: whose it is, that nobody else has it, and that nothing half-done lies in it.

Blocking; runs on a disk's threads. The claim is a lock on the directory itself (flock(2)), so it ends with
the process, however that ends.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

from control.kit.errors import StorageError
from oca.store.identity import Identity, misfit, read_identity, sync_directory, write_identity
from oca.store.layout import IDENTITY, INCOMING, SEGMENTS

_OURS = {SEGMENTS, INCOMING, f"{IDENTITY}.new", "lost+found"}
"""What may be in a directory that has no identity yet: a start that was cut short, or a fresh file system."""


@dataclass(frozen=True)
class Wanted:
    """The disk as configured. `known_uuid`: what the books remember of it; None takes a new directory too."""

    path: Path
    disk: str
    appliance: str
    known_uuid: str | None

    @property
    def words(self) -> str:
        """The disk for a person."""
        return f"disk {self.disk} at {self.path}"


@dataclass(frozen=True)
class Claim:
    """A directory that is ours: the descriptor that holds its lock, and its identity."""

    lock: int
    uuid: str

    def release(self) -> None:
        """Let it go."""
        os.close(self.lock)


def claim(wanted: Wanted, now: float) -> Claim:
    """Take the directory. Raises StorageError in words when it is not ours to take, OSError when it cannot be read.

    A directory without an identity becomes a new disk, unless the books know the disk: then what should be
    mounted there is not.
    """
    found = read_identity(wanted.path)
    if found is None and wanted.known_uuid is not None:
        raise StorageError(
            f"{wanted.words}: no {SEGMENTS} of ours there; is its file system mounted? "
            "If the disk was replaced, give the new one a new name in the configuration"
        )
    if found is None:
        wanted.path.mkdir(parents=True, exist_ok=True)
    lock = _locked(wanted)
    try:
        found = found or _initialised(wanted, now)
        words = misfit(found, appliance=wanted.appliance, disk=wanted.disk, uuid=wanted.known_uuid)
        if words:
            raise StorageError(f"{wanted.words}: {words}")
        (wanted.path / SEGMENTS).mkdir(exist_ok=True)
        (wanted.path / INCOMING).mkdir(exist_ok=True)
        sync_directory(wanted.path)
    except BaseException:
        os.close(lock)
        raise
    return Claim(lock, found.uuid)


def empty_incoming(disk: Path) -> None:
    """Remove what was being written or thrown away when the last keeper ended. Raises OSError."""
    for entry in os.scandir(disk / INCOMING):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)


def _locked(wanted: Wanted) -> int:
    lock = os.open(wanted.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise StorageError(
            f"{wanted.words}: another keeper is using it; a disk belongs to one running appliance"
        ) from error
    except OSError:
        os.close(lock)
        raise
    return lock


def _initialised(wanted: Wanted, now: float) -> Identity:
    strangers = [entry.name for entry in os.scandir(wanted.path) if entry.name not in _OURS]
    if strangers:
        raise StorageError(f"{wanted.words}: holds {min(strangers)!r}, which is not ours; give an empty directory")
    identity = Identity(appliance=wanted.appliance, disk=wanted.disk, uuid=uuid.uuid4().hex, made_at=now)
    write_identity(wanted.path, identity)
    return identity
