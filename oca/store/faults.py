"""What can go wrong with a disk, and what each error of the kernel says about it. Pure."""

from __future__ import annotations

import errno

from control.wire import DiskState


class DiskError(Exception):
    """An operation on a disk failed. `state` is what the disk is in from now on."""

    def __init__(self, disk: str, state: DiskState, words: str) -> None:
        super().__init__(f"disk {disk}: {words}")
        self.disk = disk
        self.state = state
        self.words = words


class NoRoomError(Exception):
    """No usable disk has room for `wanted` bytes."""

    def __init__(self, wanted: int) -> None:
        super().__init__(f"no disk has room for {wanted} bytes")
        self.wanted = wanted


_STATES: dict[int, DiskState] = {
    errno.ENOSPC: "full",
    errno.EDQUOT: "full",
    errno.EROFS: "readonly",
    errno.EACCES: "readonly",
    errno.EPERM: "readonly",
    errno.ENOENT: "missing",
    errno.ENOTDIR: "missing",
    errno.ESTALE: "missing",
    errno.ENODEV: "missing",
}


def state_after(error: OSError) -> DiskState:
    """The state of a disk on which a write ended in `error`.

    >>> state_after(OSError(errno.ENOSPC, "")), state_after(OSError(errno.EIO, ""))
    ('full', 'failed')
    """
    return _STATES.get(error.errno or 0, "failed")


def fault_of(disk: str, error: OSError) -> DiskError:
    """`error` as a fault of `disk`."""
    return DiskError(
        disk, state_after(error), f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
    )
