from __future__ import annotations

from fractions import Fraction

import m3u8
from hypothesis import given
from hypothesis import strategies as st

from origin.ingest.playlist import Entry, media_playlist

timescales = st.sampled_from([1000, 12800, 44100, 48000, 90000, 30000])
lengths = st.lists(st.integers(1, 10 * 90000), min_size=1, max_size=30)


@given(lengths, timescales)
def test_a_playlist_is_read_back_by_another_parser_as_it_was_meant(durations: list[int], timescale: int) -> None:
    entries = [Entry(f"{number:05d}.m4s", ticks) for number, ticks in enumerate(durations, 1)]
    read = m3u8.loads(media_playlist("init.mp4", entries, timescale))
    assert [segment.uri for segment in read.segments] == [entry.uri for entry in entries]
    assert all(segment.init_section.uri == "init.mp4" for segment in read.segments)
    assert (read.version, read.playlist_type, read.is_endlist, read.media_sequence) == (7, "vod", True, 1)
    assert read.is_independent_segments


@given(lengths, timescales)
def test_no_duration_is_off_by_more_than_half_a_microsecond(durations: list[int], timescale: int) -> None:
    text = media_playlist("init.mp4", [Entry("x.m4s", ticks) for ticks in durations], timescale)
    written = [line[len("#EXTINF:") : -1] for line in text.splitlines() if line.startswith("#EXTINF:")]
    for ticks, seconds in zip(durations, written, strict=True):
        assert abs(Fraction(seconds) - Fraction(ticks, timescale)) <= Fraction(1, 2_000_000)


@given(lengths, timescales)
def test_no_segment_rounds_to_more_than_the_target_duration(durations: list[int], timescale: int) -> None:
    read = m3u8.loads(media_playlist("init.mp4", [Entry("x.m4s", ticks) for ticks in durations], timescale))
    assert all(Fraction(ticks, timescale) < read.target_duration + Fraction(1, 2) for ticks in durations)
