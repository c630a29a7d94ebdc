"""Where the bench keeps its objects and what servers write: a directory on a disk, gone at the end.

The temporary directory is taken, but not where it is in memory: there nothing can be cold.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX = "oca-bench-"
IN_MEMORY = frozenset({"tmpfs", "ramfs"})


def file_system(mounts: str, path: Path) -> str:
    r"""The type of the file system that `path` (absolute) is on, from a text of /proc/self/mounts.

    >>> file_system("/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n", Path("/tmp/x"))
    'tmpfs'
    """
    found, kind = Path(), "unknown"
    for line in mounts.splitlines():
        _, point, name, *_ = line.split(" ")
        mount = Path(point.replace("\\040", " "))
        # A later mount on the same point hides an earlier one.
        if path.is_relative_to(mount) and len(mount.parts) >= len(found.parts):
            found, kind = mount, name
    return kind


def parent_directory(mounts: str, candidates: list[Path]) -> Path:
    """The first of `candidates` that is on a disk, else the first."""
    return next((path for path in candidates if file_system(mounts, path) not in IN_MEMORY), candidates[0])


@contextlib.contextmanager
def made() -> Iterator[Path]:
    """A new directory for this process; what killed benches left is removed first."""
    mounts = Path("/proc/self/mounts").read_text()
    parent = parent_directory(mounts, [Path(tempfile.gettempdir()).resolve(), Path("/var/tmp"), Path.cwd()])  # noqa: S108
    for left in parent.glob(f"{PREFIX}*"):
        if not Path("/proc", left.name.removeprefix(PREFIX)).exists():
            shutil.rmtree(left, ignore_errors=True)
    directory = parent / f"{PREFIX}{os.getpid()}"
    directory.mkdir(mode=0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
