from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.ingest.boxes import BoxError
from origin.ingest.tracks import Segment, Track, read_segment, read_track, without_times

TRACK = Track("video", "avc1.42c00a", 1000, default_duration=40, default_flags=0)
NOT_SYNC = 0x10000


def box(kind: str, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind.encode()) + body


def words(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}I", *numbers)


def init(
    *, timescale: int = 12800, tracks: int = 1, entry: bytes | None = None, stamp: int = 0, version: int = 0
) -> bytes:
    long = version == 1
    times = struct.pack(">QQ", stamp, stamp) if long else words(stamp, stamp)
    avcc = box("avcC", bytes([1, 0x64, 0, 0x1F, 0xFF]))
    picture = bytes(24) + struct.pack(">HH", 1280, 720) + bytes(50)
    entry = box("avc1", picture, avcc) if entry is None else entry
    stbl = box("stbl", box("stsd", words(0, 1), entry))
    mdhd = box("mdhd", words(version << 24), times, words(timescale), bytes(12))
    tkhd = box("tkhd", words(version << 24), times, bytes(80))
    trak = box("trak", tkhd, box("mdia", mdhd, box("minf", stbl)))
    mvex = box("mvex", box("trex", words(0, 1, 1, 512, 0, NOT_SYNC)))
    return box("ftyp", b"cmfc") + box("moov", box("mvhd", words(version << 24), times, bytes(80)), trak * tracks, mvex)


def fragment(start: int, durations: list[int], *, first_flags: int = 0, each: bool = True, wide: bool = True) -> bytes:
    tfdt = box("tfdt", words(1 << 24), struct.pack(">Q", start)) if wide else box("tfdt", words(0, start))
    present = 0x1 | 0x4 | (0x100 if each else 0) | 0x200 | 0x800
    rows = b"".join((words(ticks) if each else b"") + words(10, 0) for ticks in durations)
    trun = box("trun", words(present, len(durations), 0, first_flags), rows)
    traf = box("traf", box("tfhd", words(0x20000, 1)), tfdt, trun)
    return box("moof", box("mfhd", words(0, 1)), traf) + box("mdat", bytes(8))


def test_a_video_track_is_described_by_its_sample_entry() -> None:
    assert read_track(init()) == Track(
        "video", "avc1.64001f", 12800, 1280, 720, default_duration=512, default_flags=NOT_SYNC
    )


def test_a_sound_track_is_described_by_its_sample_entry() -> None:
    esds = box("esds", words(0), bytes.fromhex("031600000004114015" + "00" * 11 + "05021190"))
    sound = bytes(16) + struct.pack(">HHHHI", 2, 16, 0, 0, 48000 << 16)
    assert read_track(init(timescale=48000, entry=box("mp4a", sound, esds))) == Track(
        "audio", "mp4a.40.2", 48000, channels=2, sample_rate_hz=48000, default_duration=512, default_flags=NOT_SYNC
    )


@pytest.mark.parametrize(
    ("data", "words_said"),
    [
        (init(tracks=2), "2 tracks"),
        (init(timescale=0), "timescale 0"),
        (init(entry=box("hvc1", bytes(90))), "hvc1 is neither"),
        (init(entry=b""), r"\(none\) is neither"),
        (b"", "no moov"),
    ],
)
def test_an_init_segment_we_cannot_describe_says_why(data: bytes, words_said: str) -> None:
    with pytest.raises(BoxError, match=words_said):
        read_track(data)


@pytest.mark.parametrize("version", [0, 1])
def test_the_time_of_day_leaves_no_trace_and_nothing_else_changes(version: int) -> None:
    assert without_times(init(stamp=0xABCDEF, version=version)) == init(stamp=0, version=version)
    assert read_track(without_times(init(stamp=7, version=version))) == read_track(init())


@given(
    st.integers(0, 2**40), st.lists(st.lists(st.integers(1, 10_000), min_size=1, max_size=9), min_size=1, max_size=4)
)
def test_a_segment_lasts_as_long_as_all_samples_of_its_fragments(start: int, runs: list[list[int]]) -> None:
    data, at = box("styp"), start
    for durations in runs:
        data += fragment(at, durations)
        at += sum(durations)
    assert read_segment(data, TRACK) == Segment(start, at - start, sum(map(len, runs)), True)


def test_samples_without_their_own_duration_have_the_tracks() -> None:
    assert read_segment(fragment(0, [0, 0, 0], each=False, wide=False), TRACK).duration == 120


def test_a_segment_whose_first_sample_is_no_key_frame_says_so() -> None:
    assert not read_segment(fragment(0, [40, 40], first_flags=NOT_SYNC), TRACK).starts_with_key


def test_a_gap_between_fragments_is_a_box_error() -> None:
    with pytest.raises(BoxError, match="starts at 90, the one before it ends at 80"):
        read_segment(fragment(0, [40, 40]) + fragment(90, [40]), TRACK)


def test_more_samples_than_a_run_can_hold_are_refused_before_they_are_read() -> None:
    trun = box("trun", words(0, 2_000_000))
    moof = box("moof", box("traf", box("tfhd", words(0, 1)), box("tfdt", words(0, 0)), trun))
    with pytest.raises(BoxError, match="at most"):
        read_segment(moof, TRACK)


@given(st.integers(0, 200), st.integers(0, 255))
def test_a_damaged_segment_is_read_or_a_box_error(at: int, value: int) -> None:
    data = bytearray(fragment(0, [40, 41, 42]))
    data[at % len(data)] = value
    try:
        read_segment(bytes(data), TRACK)
    except BoxError:
        return
