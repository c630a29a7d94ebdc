from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from control.wire import RenditionIndex, StoredObject, decode, is_name
from origin.ingest.errors import MediaError
from origin.ingest.job import check_together
from origin.ingest.rendition import described, digest, peak_bps
from origin.storage.port import Packaged

pytestmark = pytest.mark.media
hexes = st.text("0123456789abcdef", min_size=32, max_size=32)
stored = st.lists(
    st.builds(
        StoredObject, name=st.sampled_from(["a", "b"]), kind=st.just("media"), bytes=st.integers(0, 99), xxh3=hexes
    ),
    max_size=4,
)


@pytest.fixture
def packaged(made: Any, tmp_path: Path) -> Path:
    """A directory as the packager leaves it: the video of the tiny title without our playlist and index."""
    directory = tmp_path / "v180p"
    shutil.copytree(made.packaged()[0].directory, directory)
    (directory / "media.m3u8").unlink()
    (directory / "index.json").unlink()
    return directory


def test_the_same_segments_are_the_same_rendition(made: Any, packaged: Path) -> None:
    again = described(packaged, "tiny", "v180p")
    assert again.rendition == made.title.renditions[0]
    assert again.index == made.packaged()[0].index


def test_a_changed_byte_is_another_rendition(made: Any, packaged: Path) -> None:
    segment = packaged / "00002.m4s"
    segment.write_bytes(segment.read_bytes()[:-1] + b"\x00")
    changed = described(packaged, "tiny", "v180p")
    assert changed.rendition.id != made.title.renditions[0].id
    assert changed.rendition.id.startswith("v180p-")
    assert is_name(changed.rendition.id)


def test_the_index_lists_every_other_file_as_it_is(packaged: Path) -> None:
    made_of = described(packaged, "tiny", "v180p")
    index = decode((packaged / "index.json").read_bytes(), RenditionIndex)
    listed = {each.name: (each.bytes, each.xxh3) for each in index.objects}
    there = {path.name: path.read_bytes() for path in packaged.iterdir() if path.name != "index.json"}
    assert listed == {name: (len(data), xxhash.xxh3_128_hexdigest(data)) for name, data in there.items()}
    assert made_of.rendition.bytes == sum(len(data) for data in there.values())
    assert [each.name for each in index.objects] == ["init.mp4", "00001.m4s", "00002.m4s", "media.m3u8"]


def test_a_missing_segment_is_named(packaged: Path) -> None:
    (packaged / "00001.m4s").unlink()
    with pytest.raises(MediaError, match=r"v180p: segment 1 is missing; 00002.m4s is in its place"):
        described(packaged, "tiny", "v180p")


def test_segments_that_do_not_follow_each_other_are_refused(packaged: Path) -> None:
    shutil.copy(packaged / "00002.m4s", packaged / "00003.m4s")
    with pytest.raises(MediaError, match=r"00003.m4s starts at \d+/12800 s, but the segments before it end at"):
        described(packaged, "tiny", "v180p")


def test_a_segment_without_a_key_frame_at_its_start_is_refused(packaged: Path) -> None:
    segment = packaged / "00002.m4s"
    data = bytearray(segment.read_bytes())
    trun = data.index(b"trun")
    flags = int.from_bytes(data[trun + 5 : trun + 8], "big")
    first_sample = trun + 12 + (4 if flags & 1 else 0) + (4 if flags & 4 else 0)
    assert flags & 0x700 in {0x600, 0x700}, "the packager writes flags for each sample"
    at = first_sample + (4 if flags & 0x100 else 0) + 4
    data[at + 1] |= 1  # sample_is_non_sync_sample
    segment.write_bytes(data)
    with pytest.raises(MediaError, match=r"00002.m4s does not start with a key frame"):
        described(packaged, "tiny", "v180p")


@pytest.mark.parametrize("name", ["init.mp4", "00001.m4s"])
def test_a_file_that_is_no_mp4_is_refused(packaged: Path, name: str) -> None:
    (packaged / name).write_bytes(b"not an MP4 file at all")
    with pytest.raises(MediaError, match="wrote no usable MP4"):
        described(packaged, "tiny", "v180p")


def test_no_segments_at_all_are_refused(packaged: Path) -> None:
    for segment in packaged.glob("*.m4s"):
        segment.unlink()
    with pytest.raises(MediaError, match="no segment"):
        described(packaged, "tiny", "v180p")


def test_renditions_are_published_together_only_when_cut_at_the_same_times(made: Any) -> None:
    low, high, sound = made.packaged()
    check_together([low, high, sound], 8)
    objects = [replace_duration(each) for each in high.index.objects]
    other = replace(high, index=RenditionIndex(title="tiny", rendition="x", timescale=12800, objects=tuple(objects)))
    with pytest.raises(MediaError, match="not cut at the same times"):
        check_together([low, other, sound], 8)


def replace_duration(each: StoredObject) -> StoredObject:
    shift = {"00001.m4s": 512, "00002.m4s": -512}.get(each.name, 0)
    return StoredObject(
        name=each.name, kind=each.kind, bytes=each.bytes, xxh3=each.xxh3, duration=each.duration + shift
    )


def test_media_that_ends_before_its_source_is_refused(made: Any) -> None:
    with pytest.raises(MediaError, match=r"lasts 8.00 s, but its source 20.00 s"):
        check_together(made.packaged(), 20)


@given(stored, stored)
def test_digests_tell_object_lists_apart(one: list[StoredObject], other: list[StoredObject]) -> None:
    assert (digest(one) == digest(other)) == (one == other)


@given(st.lists(st.tuples(st.integers(1, 10**7), st.integers(1, 5000)), min_size=1, max_size=20))
def test_the_peak_is_never_below_a_full_segment_and_never_above_the_densest(sizes: Sequence[tuple[int, int]]) -> None:
    rates = [Fraction(size * 8 * 1000, ticks) for size, ticks in sizes]
    full = [rate for rate, (_, ticks) in zip(rates, sizes, strict=True) if 2000 <= ticks <= 6000]
    peak = peak_bps(sizes, 1000)
    assert peak <= max(rates) + 1
    assert peak >= max(full, default=0)


def test_packaged_tells_its_length_to_the_millisecond(made: Any) -> None:
    video: Packaged = made.packaged()[0]
    assert video.duration_ms == 8000
    assert video.cuts == (Fraction(4), Fraction(4))
