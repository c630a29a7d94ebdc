from __future__ import annotations

from pathlib import Path

import pytest

from control.kit.errors import ConfigError
from origin.config import load


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "origin.yaml"
    path.write_text(text)
    return path


def test_the_configuration_we_ship_is_valid() -> None:
    settings = load(Path(__file__).parents[2] / "configs/origin.yaml")
    assert (settings.listen.port, settings.url) == (8200, "http://127.0.0.1:8200")


def test_a_store_is_all_that_is_needed(tmp_path: Path) -> None:
    settings = load(written(tmp_path, "store: /srv/store"))
    assert (settings.store, settings.listen.port, settings.limits.page) == (Path("/srv/store"), 8200, 1000)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("listen: {port: 1}", "store: is required"),
        ("store: x\nstor: y", "stor: unknown key"),
        ("store: x\nlimits: {stall: 0}", "limits.stall"),
        ("store: x\nlimits: {piece: 1}", "limits.piece"),
        ("store: x\nlimits: {page: 0}", "limits.page"),
        ("store: x\nurl: ftp://x", "url"),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=rf"origin.yaml.*{said}"):
        load(written(tmp_path, text))
