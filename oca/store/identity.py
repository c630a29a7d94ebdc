"""The identity file of a disk: whose it is. Written once, when the disk is first used."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import msgspec

from control.kit.errors import StorageError
from control.wire import Name
from oca.store.layout import IDENTITY

IDENTITY_LIMIT_BYTES = 64 * 1024


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Whose disk it is. `uuid` tells a replaced disk from the one that was there before."""

    format: Annotated[int, msgspec.Meta(ge=1)] = 1
    appliance: Name
    disk: Name
    uuid: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}$")]
    made_at: float


def read_identity(path: Path) -> Identity | None:
    """The identity in directory `path`, None when there is none. Raises StorageError when it is unreadable."""
    file = path / IDENTITY
    try:
        with file.open("rb") as stream:
            data = stream.read(IDENTITY_LIMIT_BYTES)
        return msgspec.json.decode(data, type=Identity)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StorageError(f"{file}: cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StorageError(f"{file}: not a disk's identity: {error}; empty the directory to use it anew") from error


def write_identity(path: Path, identity: Identity) -> None:
    """Put `identity` into directory `path`, durably and whole or not at all. Raises OSError."""
    temporary = path / f"{IDENTITY}.new"
    with temporary.open("wb") as stream:
        stream.write(msgspec.json.format(msgspec.json.encode(identity), indent=2) + b"\n")
        stream.flush()
        os.fsync(stream.fileno())
    temporary.rename(path / IDENTITY)
    sync_directory(path)


def sync_directory(path: Path) -> None:
    """Make the names in directory `path` durable. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def misfit(found: Identity, *, appliance: str, disk: str, uuid: str | None) -> str:
    """Why a disk with identity `found` is not the one configured; empty when it is.

    `uuid` is what the books remember of the disk, None when they never saw it.
    """
    if found.appliance != appliance:
        return (
            f"belongs to appliance {found.appliance!r}, and this is {appliance!r}; "
            "give the path of a disk of this appliance, or empty the directory to take it over"
        )
    if found.disk != disk:
        return f"is disk {found.disk!r}, and the configuration calls it {disk!r}; exchange the paths or the names"
    if uuid is not None and found.uuid != uuid:
        return "is another disk than the one last used under this name; give the new disk a new name"
    return ""
