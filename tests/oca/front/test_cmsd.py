"""CMSD: the standard's estimate, from the bytes that the kernel gives."""

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.front.cmsd import TCP_INFO_BYTES, Connection, connection, dynamic, estimate_kbps

U32 = st.integers(0, 2**32 - 1)


def info(*, mss=1440, rtt=18_000, cwnd=75, rate=0, window=0, size=240):
    text = bytearray(240)
    struct.pack_into("=I", text, 16, mss)
    struct.pack_into("=I", text, 68, rtt)
    struct.pack_into("=I", text, 80, cwnd)
    struct.pack_into("=Q", text, 160, rate)
    struct.pack_into("=I", text, 228, window)
    return bytes(text[:size])


def test_the_estimate_is_a_congestion_window_for_each_round_trip():
    assert dynamic("oca12", connection(info())) == b'CMSD-Dynamic: "oca12";etp=48000;rtt=18\r\n'


def test_the_receive_window_limits_it_where_the_kernel_tells():
    assert estimate_kbps(connection(info(window=54_000))) == 24_000
    assert estimate_kbps(connection(info(window=54_000, size=200))) == 48_000


def test_an_overloaded_appliance_asks_players_to_move_away():
    assert dynamic("oca12", connection(info()), overloaded=True).endswith(b";rtt=18;du\r\n")
    assert dynamic("oca12", None, overloaded=True) == b'CMSD-Dynamic: "oca12";du\r\n'


def test_without_a_measurement_nothing_is_claimed():
    assert dynamic("oca12", connection(info(rtt=0))) == b""
    assert dynamic("oca12", connection(b"short")) == b""


def test_a_round_trip_within_the_building_is_a_millisecond():
    assert b";rtt=1\r\n" in dynamic("oca12", connection(info(rtt=80)))


@pytest.mark.parametrize(("rtt", "expected"), [(3000, 2667), (16_000, 500), (1_000_000, 8)])
def test_the_estimate_is_rounded_to_the_nearest(rtt, expected):
    assert estimate_kbps(Connection(rtt_us=rtt, cwnd=1, mss=1000)) == expected


@given(st.binary(max_size=400))
def test_no_bytes_crash_it(text):
    line = dynamic("oca12", connection(text))
    assert line == b"" or line.startswith(b'CMSD-Dynamic: "oca12";etp=')


@given(U32, U32, U32, U32)
def test_the_estimate_is_a_number_that_a_structured_field_holds(rtt, cwnd, mss, window):
    estimate = estimate_kbps(connection(info(rtt=rtt, cwnd=cwnd, mss=mss, window=window)))
    assert estimate is None or 0 <= estimate < 10**15


def test_the_kernels_own_answer_is_understood():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        with accepted:
            accepted.sendall(b"x" * 4096)
            assert client.recv(4096)
            seen = connection(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES))
            assert seen is not None
            assert seen.mss == accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
            assert 0 < seen.rtt_us < 10_000_000
            assert 0 < seen.cwnd < 10_000
            assert dynamic("north-1", seen).startswith(b'CMSD-Dynamic: "north-1";etp=')
