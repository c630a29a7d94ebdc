from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from control.wire import RenditionIndex, decode
from origin.ingest import tools
from origin.ingest.encode import Effort
from origin.ingest.errors import ToolError
from origin.ingest.job import Ingest, Order
from origin.ingest.ladder import Rung
from origin.storage.directory import DirectoryStorage

pytestmark = pytest.mark.media
Make = Callable[..., Ingest]


def test_the_demo_title_has_every_rung_and_sound(made: Any) -> None:
    low, high, sound = made.title.renditions
    assert [(each.kind, each.width, each.height, each.frame_rate) for each in (low, high)] == [
        ("video", 320, 180, 25.0),
        ("video", 426, 240, 25.0),
    ]
    assert (low.codecs[:8], high.codecs[:8], sound.codecs) == ("avc1.42c", "avc1.42c", "mp4a.40.2")
    assert (sound.channels, sound.sample_rate_hz) == (2, 48000)
    assert all(each.average_bandwidth_bps <= each.bandwidth_bps for each in made.title.renditions)
    assert 8000 <= made.title.duration_ms <= 8100


def test_progress_only_goes_on_and_every_step_is_timed(made: Any) -> None:
    assert made.told.parts == sorted(made.told.parts)
    assert made.told.parts[-1] > 0.5
    assert (
        set(made.outcome.seconds)
        == set(made.told.steps)
        == {
            "look in cache",
            "encode",
            "package",
            "describe",
            "publish",
        }
    )


def test_segments_are_four_seconds_in_every_video_rendition(made: Any) -> None:
    for packaged in made.packaged()[:2]:
        media = [each.duration for each in packaged.index.objects if each.kind == "media"]
        assert media == [4 * packaged.index.timescale] * 2


def test_the_same_again_comes_from_the_cache_and_changes_nothing(made: Any, ingest: Make) -> None:
    again = ingest(storage=DirectoryStorage(made.store)).demo(made.order, seconds=8, film=False)
    assert (again.cached, again.published.changed, again.published.bytes_written) == (True, False, 0)
    assert again.published.title == made.title


def test_made_anew_without_the_cache_every_byte_is_the_same(made: Any, ingest: Make, tmp_path: Path) -> None:
    again = ingest(cache=tmp_path / "cache", storage=DirectoryStorage(made.store)).demo(
        made.order, seconds=8, film=False
    )
    assert (again.cached, again.published.changed) == (False, False)


def test_a_dry_run_publishes_nothing(made: Any, ingest: Make, tmp_path: Path) -> None:
    outcome = ingest(dry_run=True).demo(made.order, seconds=8, film=False)
    assert outcome.published.bytes_written == made.title.bytes
    assert not (tmp_path / "store").exists()


def test_without_network_the_title_is_made_of_synthetic_scenes_and_it_is_said(
    made: Any, ingest: Make, told: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    outcome = ingest().demo(made.order, seconds=8, film=True)
    assert outcome.cached
    assert outcome.published.title.attribution == ""
    assert ["synthetic scenes only" in notice for notice in told.notices] == [True]


def test_a_silent_upright_video_becomes_a_title_of_one_upright_rendition(ingest: Make, tmp_path: Path) -> None:
    film = tmp_path / "film, with=odd name.mkv"
    encode_test_film(film, "testsrc=size=90x160:rate=30000/1001:duration=5")
    order = Order("film", "Film", (Rung(360, 100_000), Rung(720, 900_000)), Effort("ultrafast"))
    title = ingest(cache=tmp_path / "cache").file(film, order).published.title
    assert [(each.kind, each.width, each.height, each.frame_rate) for each in title.renditions] == [
        ("video", 90, 160, 29.97)
    ]
    path = tmp_path / "store/segments/film" / title.renditions[0].id / "index.json"
    index = decode(path.read_bytes(), RenditionIndex)
    assert [each.duration for each in index.objects if each.kind == "media"] == [120_120, 30_030]


def test_encoding_that_takes_too_long_is_stopped_and_nothing_is_left(made: Any, ingest: Make, tmp_path: Path) -> None:
    order = replace(made.order, title="late", effort=Effort("slower", time_limit_s=0.2))
    with pytest.raises(ToolError, match="--time-limit"):
        ingest(cache=tmp_path / "cache").demo(order, seconds=30, film=False)
    assert not (tmp_path / "store").exists()
    assert [path.name[:6] for path in (tmp_path / "cache").iterdir()] == [".lock-"]


@pytest.mark.parametrize("tool", ["ffprobe", "ffmpeg"])
def test_no_font_and_no_system_program_is_needed(tool: str) -> None:
    path = getattr(tools, tool)()
    shown = subprocess.run([path, "-version"], env={}, capture_output=True, text=True, check=True, timeout=30)
    assert shown.stdout.startswith(f"{tool} version")


def encode_test_film(path: Path, source: str) -> None:
    command = [tools.ffmpeg(), "-v", "error", "-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p", "-c:v", "mpeg4"]
    tools.run([*command, f"file:{path}"], timeout_s=60)


def test_debians_ffmpeg_decodes_every_frame_from_the_files_alone(made: Any) -> None:
    ffmpeg = shutil.which("ffmpeg", path="/usr/bin")
    if ffmpeg is None:
        pytest.skip("needs Debian's ffmpeg")
    for packaged in made.packaged()[:2]:
        command = [ffmpeg, "-v", "error", "-i", str(packaged.directory / "media.m3u8")]
        shown = subprocess.run(
            [*command, "-map", "0:v", "-f", "framemd5", "-"], capture_output=True, text=True, check=True, timeout=60
        )
        assert shown.stderr == ""
        assert len([line for line in shown.stdout.splitlines() if not line.startswith("#")]) == 200
