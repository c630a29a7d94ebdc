"""Taking objects off a disk so that a crash leaves them there or gone, never half. Blocking; on a disk's threads."""

from __future__ import annotations

import os
from pathlib import Path

from oca.store.identity import sync_directory


def bury(place: Path, grave: Path) -> bool:
    """Move a rendition out of sight, durably: what was purged must not come back with the power.

    False when it was not there. Raises OSError.
    """
    try:
        os.rename(place, grave)
    except FileNotFoundError:
        return False
    sync_directory(place.parent)
    return True


def unshelve(path: Path) -> None:
    """Remove an object whose rendition is gone, and the directory that was made for it."""
    path.unlink(missing_ok=True)
    try:
        path.parent.rmdir()
    except OSError:
        return  # another object has arrived there


def bury_object(path: Path) -> None:
    """Remove one object, as durably. Raises OSError."""
    try:
        path.unlink()
    except FileNotFoundError:
        return
    sync_directory(path.parent)
