"""Clients that mean harm, or are merely broken: afterwards the worker serves others, and nothing is left behind."""

import contextlib
import os
import random
import re
import resource
import socket
import threading
import time
from pathlib import Path

import pytest

from control.kit.clock import SystemClock
from oca.front.access_log import AccessLog

KEY = "title/v720-1/00001.m4s"
SMALL_KEY = "title/v720-1/00002.m4s"
DATA = os.urandom(6_000_000)
SMALL = b"s" * 1000
REQUEST = f"GET /s/{KEY} HTTP/1.1\r\nHost: t\r\n\r\n".encode()
SMALL_REQUEST = f"GET /s/{SMALL_KEY} HTTP/1.1\r\nHost: t\r\n\r\n".encode()
RESET = b"\x01\0\0\0\0\0\0\0"
SLOW = 16384
SPINS = "a queue that cannot be accepted from is told again at once: thousands of rounds and log lines a second"
LOST_FIN = "a FIN that arrives with the request is forgotten: the connection stays until idle_timeout_s"
NO_LINGER = "the socket is closed with bytes unread, so the kernel resets it and drops the answer's rest"
PENDING_RESET = "what follows the last whole request makes the FIN a reset, and the answer's rest is dropped"


def open_files():
    return len(os.listdir("/proc/self/fd"))


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def unharmed(rig):
    """What happens inside leaves the worker serving, and holding no more than before."""
    rig.store(KEY, DATA)
    rig.store(SMALL_KEY, SMALL)
    assert rig.client().get(f"/s/{KEY}")[2] == DATA
    assert rig.client().get(f"/s/{SMALL_KEY}")[2] == SMALL
    nobody_left(rig)
    files, memory = open_files(), resident_bytes()
    yield
    assert rig.client().get(f"/s/{KEY}")[2] == DATA
    assert rig.client().get(f"/s/{SMALL_KEY}")[2] == SMALL
    nobody_left(rig)
    rig.until(lambda: open_files() <= files, f"back to {files} open files")
    assert resident_bytes() < memory + 64_000_000


@contextlib.contextmanager
def busy(rig):
    """Keeps the worker from looking: what happens inside reaches it as one event."""
    looks, go = threading.Event(), threading.Event()
    rig.worker.loop.post(lambda: (looks.set(), go.wait(10)))
    assert looks.wait(10)
    yield
    go.set()


def nobody_left(rig):
    for client in rig.clients:
        client.close()
    rig.clients.clear()
    rig.until(lambda: not rig.worker._connections, "without connections")


def rest_of(client):
    """All that comes until the worker closes, and whether it closed in order."""
    data = [client.data]
    try:
        while more := client.sock.recv(262144):
            data.append(more)
    except ConnectionResetError:
        return b"".join(data), False
    return b"".join(data), True


def statuses(data):
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", data)]


def test_a_slow_reader_gets_it_all_and_holds_up_nobody(rig):
    with unharmed(rig):
        slow = rig.client(receive_buffer=SLOW)
        slow.send(REQUEST)
        body_bytes = int(slow.head()[1]["content-length"])
        for _ in range(20):
            slow.data += slow.sock.recv(4096)
            assert rig.client().get(f"/s/{SMALL_KEY}")[2] == SMALL
        assert slow.body(body_bytes) == DATA


def test_a_reader_that_stops_is_cut_in_time(make_rig):
    rig = make_rig(send_timeout_s=0.2)
    with unharmed(rig):
        stopped = [rig.client(receive_buffer=SLOW) for _ in range(20)]
        for client in stopped:
            client.send(REQUEST * 3)
        rig.until(lambda: rig.worker.counters.timeouts == 20, "cut")
        rig.until(lambda: not rig.worker._connections, "without connections")


def test_a_head_that_trickles_is_408_however_steadily_it_comes(make_rig):
    rig = make_rig(header_timeout_s=0.3)
    with unharmed(rig):
        client = rig.client()
        client.sock.settimeout(0.02)
        began = time.monotonic()
        for byte in b"GET / HTTP/1.1\r\nX: " + b"a" * 500:
            with contextlib.suppress(OSError):
                client.send(bytes([byte]))
            with contextlib.suppress(TimeoutError):
                client.data += client.sock.recv(65536)
                break
        assert time.monotonic() - began < 5
        assert client.answer()[0] == 408


# -- ends that come early -----------------------------------------------------------------------------


def test_a_client_that_closes_its_half_after_the_request_gets_the_full_answer(rig):
    with unharmed(rig):
        client = rig.client(receive_buffer=SLOW)
        client.send(REQUEST)
        client.sock.shutdown(socket.SHUT_WR)
        assert client.answer()[2] == DATA


@pytest.mark.parametrize("sent", [SMALL_REQUEST, SMALL_REQUEST + b"GET /s/", b"GET /s/"])
def test_a_client_whose_last_bytes_and_end_come_at_once_is_not_kept(rig, sent):
    with unharmed(rig):
        client = rig.client()
        rig.until(lambda: len(rig.worker._connections) == 1, "accepted")
        with busy(rig):
            client.send(sent)
            client.sock.shutdown(socket.SHUT_WR)
        client.sock.settimeout(2.0)
        assert statuses(rest_of(client)[0]) == [200] * sent.count(SMALL_REQUEST)


@pytest.mark.parametrize("more", [b"\r\n", b"GET /s/"])
def test_half_a_request_behind_a_whole_one_does_not_cost_the_answer(rig, more):
    with unharmed(rig):
        client = rig.client(receive_buffer=SLOW)
        client.send(REQUEST + more)
        client.head()
        client.sock.shutdown(socket.SHUT_WR)
        assert client.body(len(DATA)) == DATA


@pytest.mark.parametrize("field", [b"Content-Length: 100000", b"Connection: close", b"Transfer-Encoding: chunked"])
def test_bytes_behind_a_last_request_do_not_cost_the_answer(rig, field):
    with unharmed(rig):
        client = rig.client(receive_buffer=SLOW)
        client.send(REQUEST[:-2] + field + b"\r\n\r\n" + b"z" * 100_000)
        client.head()
        assert client.body(len(DATA)) == DATA


def test_requests_beyond_a_connections_share_do_not_cost_the_answers_before(make_rig):
    rig = make_rig(requests_per_connection=3)
    with unharmed(rig):
        client = rig.client(receive_buffer=SLOW)
        client.send(REQUEST * 1000)
        assert [client.answer()[2] == DATA for _ in range(3)] == [True] * 3


def test_resets_in_mid_send_are_counted_and_forgotten(rig):
    with unharmed(rig):
        for number in range(30):
            client = rig.client(receive_buffer=SLOW)
            client.send(REQUEST * (1 + number % 3))
            client.head()
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            client.close()
        rig.until(lambda: rig.worker.counters.aborted == 30, "aborted")


def test_two_thousand_short_visits_leave_no_descriptor(make_rig):
    rig = make_rig(header_timeout_s=1.0, idle_timeout_s=1.0)
    with unharmed(rig):
        for number in range(2000):
            with socket.create_connection(("127.0.0.1", rig.port), 10) as sock:
                if number % 4 == 1:
                    sock.sendall(b"GET /s/")
                if number % 4 == 2:
                    sock.sendall(SMALL_REQUEST)
                if number % 4 == 3:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        rig.until(lambda: rig.worker.counters.accepted >= 2000, "through the queue")


# -- floods -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "flood",
    [
        b"".join(b"X-%d: 1\r\n" % number for number in range(65)),
        b"x: 1\r\n" * 500,
        b"X: " + b"a" * 20_000,
        b"a" * 20_000,
        b"X: " + b"a" * 2_000_000,
    ],
    ids=["65-fields", "500-alike", "a-long-value", "a-long-name", "2-MB"],
)
def test_a_flood_of_fields_is_431_and_the_end(rig, flood):
    with unharmed(rig):
        client = rig.client()
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            client.send(SMALL_REQUEST[:-2] + flood + b"\r\n\r\n")
        data, _ = rest_of(client)
        assert statuses(data) == [431]


def test_garbage_on_500_connections_is_refused_or_left_unanswered(make_rig):
    rig, rng = make_rig(header_timeout_s=1.0, idle_timeout_s=1.0), random.Random(500)
    with unharmed(rig):
        for _ in range(500):
            client = rig.client()
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                client.send(rng.randbytes(rng.randrange(1, 3000)) + b"\r\n\r\n" * rng.randrange(2))
                client.sock.shutdown(socket.SHUT_WR)
        for client in rig.clients:
            data, _ = rest_of(client)
            assert set(statuses(data)) <= {400, 408, 431, 505}


def test_a_thousand_requests_that_nobody_reads_are_answered_when_somebody_does(rig):
    with unharmed(rig):
        client = rig.client(receive_buffer=SLOW)
        client.send(SMALL_REQUEST * 1000)
        for _ in range(5):
            assert rig.client().get(f"/s/{SMALL_KEY}")[2] == SMALL
        assert [client.answer()[2] == SMALL for _ in range(1000)] == [True] * 1000


def test_a_flood_of_large_answers_that_nobody_reads_holds_up_nobody(rig):
    with unharmed(rig):
        for _ in range(20):
            rig.client(receive_buffer=SLOW).send(REQUEST * 300)
        for _ in range(20):
            assert rig.client().get(f"/s/{SMALL_KEY}")[2] == SMALL


def test_when_idlers_hold_every_place_others_are_closed_at_once_and_served_when_they_go(make_rig):
    rig = make_rig(connections=100)
    with unharmed(rig):
        idlers = [rig.client() for _ in range(100)]
        rig.until(lambda: len(rig.worker._connections) == 100, "full")
        refused = [rig.client() for _ in range(50)]
        assert all(client.ends() for client in refused)
        assert rig.worker.counters.refused == 50
        assert idlers[0].get(f"/s/{SMALL_KEY}")[2] == SMALL, "who is in is served on"
        for client in idlers[1:]:
            client.close()
        rig.until(lambda: len(rig.worker._connections) == 1, "alone")
        assert rig.client().get(f"/s/{SMALL_KEY}")[2] == SMALL


def test_without_descriptors_the_worker_waits_for_one(rig):
    with unharmed(rig):
        served = rig.client()
        assert served.get(f"/s/{SMALL_KEY}")[2] == SMALL
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        late = socket.socket()
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
        try:
            late.connect(("127.0.0.1", rig.port))
            began = rig.worker.loop.now
            rig.until(lambda: rig.worker.loop.now >= began + 1.0, "a second later")
            assert served.get(f"/s/{SMALL_KEY}")[2] == SMALL
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
            late.close()
        assert rig.worker.counters.refused < 100


def test_an_access_log_on_a_full_disk_costs_lines_and_no_answers(rig):
    log = AccessLog(Path("/dev/full"), now=SystemClock().now, rotate_bytes=1_000_000, keep=1, sample=1.0)
    rig.worker.access_log = log  # the worker closes it with itself
    with unharmed(rig):
        client = rig.client()
        for _ in range(200):
            assert client.get(f"/s/{SMALL_KEY}")[2] == SMALL
        rig.until(lambda: log.dropped >= 200, "counted as dropped")
