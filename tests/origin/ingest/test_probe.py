from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.ingest.errors import SourceError
from origin.ingest.ladder import Size
from origin.ingest.probe import STEADY_RATES, examined, feed_of, steady_rate, understood

PICTURE: dict[str, Any] = {
    "index": 0,
    "codec_type": "video",
    "width": 1920,
    "height": 1080,
    "avg_frame_rate": "25/1",
    "duration": "10.0",
}
SOUND: dict[str, Any] = {"index": 1, "codec_type": "audio", "tags": {"language": "deu"}}
COVER: dict[str, Any] = {"index": 2, "codec_type": "video", "disposition": {"attached_pic": 1}}


def found(*streams: dict[str, Any], **form: str) -> dict[str, Any]:
    return {"streams": list(streams), "format": form}


def test_picture_and_sound_are_understood() -> None:
    source = understood(found(COVER, PICTURE, SOUND), "x")
    assert (source.picture, source.sound, source.size, source.language) == (0, 1, Size(1920, 1080), "deu")
    assert (source.duration_s, source.frame_rate, source.interlaced) == (10.0, Fraction(25), False)


@pytest.mark.parametrize(
    ("streams", "said"),
    [
        ((SOUND,), "sound but no picture"),
        ((COVER,), "no picture"),
        ((PICTURE | {"duration": "N/A"},), "how long it lasts"),
        ((PICTURE | {"width": 0},), "no size"),
    ],
)
def test_what_is_no_video_is_refused_with_the_reason(streams: tuple[dict[str, Any], ...], said: str) -> None:
    with pytest.raises(SourceError, match=f"^film.mkv: .*{said}"):
        understood(found(*streams), "film.mkv")


def test_the_length_of_the_file_stands_in_for_the_length_of_the_stream() -> None:
    assert understood(found(PICTURE | {"duration": "N/A"}, duration="12.5"), "x").duration_s == 12.5


@pytest.mark.parametrize("turn", [90, -90, 270])
def test_a_turned_picture_is_upright(turn: int) -> None:
    turned = PICTURE | {"side_data_list": [{"rotation": turn}]}
    assert understood(found(turned), "x").size == Size(1080, 1920)


def test_pixels_that_are_not_square_are_made_so() -> None:
    wide = PICTURE | {"width": 720, "height": 576, "sample_aspect_ratio": "64:45"}
    assert understood(found(wide), "x").size == Size(1024, 576)


@given(st.fractions(min_value=0, max_value=1000))
def test_the_rate_to_encode_in_is_a_standard_one(average: Fraction) -> None:
    rate = steady_rate(average)
    assert rate in STEADY_RATES
    assert rate * 101 >= average * 99 or rate == 60


def test_sound_is_as_long_as_the_picture_and_a_part_can_be_taken() -> None:
    feed = feed_of(Path("/a,b.mkv"), understood(found(PICTURE, SOUND), "x"), seconds=3)
    assert feed.graph.count("end=3") == 2
    assert feed.inputs[-1] == "file:/a,b.mkv"
    assert not feed_of(Path("/a"), understood(found(PICTURE), "x")).has_sound


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.mp4", b"", "is empty"),
        ("words.mp4", b"these are only words\n" * 50, "not a video"),
        ("list.m3u8", b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nhttp://127.0.0.1:9/1.ts\n", "not a video"),
        ("list.txt", b"ffconcat version 1.0\nfile '/etc/passwd'\n", "not a video"),
    ],
)
def test_a_file_that_is_no_video_is_refused(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=said):
        examined(tmp_path / name)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nothing.mp4: cannot be read: No such file"):
        examined(tmp_path / "nothing.mp4")
