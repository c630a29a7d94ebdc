"""File systems that fill up or become read-only, for those who may mount."""

import os
import subprocess

import pytest


@pytest.fixture
def small_disk(tmp_path):
    """A directory on a file system of its own of 8 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", place], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"cannot mount here: {done.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture
def read_only(small_disk):
    """Makes the small disk's file system read-only, as the kernel does after an error."""
    return lambda: subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
