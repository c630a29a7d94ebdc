"""Cold files are read by a thread, and what nobody asks for twice leaves memory again."""

import os

import pytest

from oca.front.residency import Residency

KEY = "title/v720-1/00001.m4s"
DATA = os.urandom(3_500_000)


def chill(path):
    """Drop a file from memory."""
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    resident = Residency().resident(fd, 0, 4096)
    os.close(fd)
    if resident:
        pytest.skip("this file system keeps every page in memory (tmpfs)")


def test_a_cold_segment_is_served_right_and_read_by_a_thread(rig):
    chill(rig.store(KEY, DATA))
    assert rig.client().get("/s/" + KEY)[2] == DATA
    assert rig.worker.warming.cold_slices >= 1


def test_a_cold_range_is_served_right(rig):
    chill(rig.store(KEY, DATA))
    client = rig.client()
    assert client.get("/s/" + KEY, "Range: bytes=2000000-2999999")[2] == DATA[2_000_000:3_000_000]
    chill(rig.disk / "segments" / KEY)
    rig.until(lambda: all(e.warm_until < rig.worker.loop.now for e in rig.worker.table), "rechecked")
    assert client.get("/s/" + KEY, "Range: bytes=2000000-2999999")[2] == DATA[2_000_000:3_000_000]


def test_the_next_segment_is_read_ahead_when_one_was_cold(rig):
    following = rig.store("title/v720-1/00002.m4s", DATA)
    chill(rig.store(KEY, DATA))
    chill(following)
    rig.client().get("/s/" + KEY)
    fd = os.open(following, os.O_RDONLY)
    try:
        rig.until(lambda: Residency().resident(fd, 0, len(DATA)), "read ahead")
    finally:
        os.close(fd)


def test_hot_segments_are_served_while_a_cold_one_is_read(rig):
    rig.store("title/v720-1/hot.m4s", DATA[:1000])
    chill(rig.store(KEY, DATA))
    cold, hot = rig.client(), rig.client()
    cold.send(f"GET /s/{KEY} HTTP/1.1\r\nHost: t\r\n\r\n")
    assert hot.get("/s/title/v720-1/hot.m4s")[2] == DATA[:1000]
    assert cold.answer()[2] == DATA


def test_a_file_that_shrinks_cuts_the_answer(rig):
    path = rig.store(KEY, DATA)
    client = rig.client()
    assert client.get("/s/" + KEY, "Range: bytes=0-0")[0] == 206
    os.truncate(path, 1000)
    with pytest.raises((EOFError, ConnectionResetError)):
        client.get("/s/" + KEY)
