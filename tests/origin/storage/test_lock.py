from __future__ import annotations

from pathlib import Path

import pytest

from control.kit.errors import StorageError
from origin.storage.lock import locked


def test_a_lock_held_for_too_long_is_an_error_and_is_free_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with (
        locked(path, wait_s=1),
        pytest.raises(StorageError, match="another process has held it"),
        locked(path, wait_s=0.1),
    ):
        pass
    with locked(path, wait_s=0):
        pass
