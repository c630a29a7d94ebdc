"""What players see of a front worker, over real sockets."""

import os
import socket

import pytest

from oca.link import messages as link

KEY = "title/v720-1/00001.m4s"
PATH = "/s/" + KEY
DATA = os.urandom(300_000)


def test_a_held_segment_is_served_whole_with_what_caches_and_players_need(rig):
    rig.store(KEY, DATA)
    status, fields, body = rig.client().get(PATH)
    assert (status, body) == (200, DATA)
    assert fields["etag"] == '"v720-1/00001.m4s"'
    assert fields["cache-status"] == "t1; hit"
    assert fields["access-control-allow-origin"] == "*"
    assert "immutable" in fields["cache-control"]
    assert int(fields["age"]) >= 0
    assert fields["date"].endswith("GMT")


def test_the_short_way_for_repeated_requests_answers_as_the_long_one(rig):
    rig.store(KEY, DATA)
    rig.store("title/v720-1/00002.m4s", DATA[:1000])
    client = rig.client()
    first = client.get(PATH, "Range: bytes=10-19")
    second = client.get(PATH, "Range: bytes=10-19")
    other = client.get("/s/title/v720-1/00002.m4s?CMCD=bl%3D1", "Range: bytes=10-19")
    past = client.get("/s/title/v720-1/00002.m4s", "Range: bytes=10-")
    beyond = client.get(PATH, "Range: bytes=300000-")
    again = client.get(PATH, "Range: bytes=300000-")
    assert first[0] == second[0] == 206
    assert first[2] == second[2] == other[2] == DATA[10:20]
    assert second[1]["content-range"] == "bytes 10-19/300000"
    assert past[2] == DATA[10:1000]
    assert (beyond[0], again[0]) == (416, 416)
    assert again[1]["content-range"] == "bytes */300000"


def test_several_ranges_come_as_multipart(rig):
    rig.store(KEY, DATA)
    status, fields, body = rig.client().get(PATH, "Range: bytes=0-4,100-104,-5")
    boundary = fields["content-type"].partition("boundary=")[2].encode()
    assert status == 206
    parts = [part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in body.split(b"--" + boundary)[1:-1]]
    assert parts == [DATA[:5], DATA[100:105], DATA[-5:]]


def test_head_and_conditions_send_no_bytes(rig):
    rig.store(KEY, DATA)
    client = rig.client()
    head = client.get(PATH, method="HEAD")
    assert (head[0], head[1]["content-length"], head[2]) == (200, "300000", b"")
    assert client.get(PATH, f"If-None-Match: {head[1]['etag']}")[0] == 304
    assert client.get(PATH, f"If-Modified-Since: {head[1]['last-modified']}")[0] == 304
    assert client.get(PATH, 'If-Match: "other"')[0] == 412
    assert client.get(PATH)[2] == DATA


def test_pipelined_requests_are_answered_in_order(rig):
    for number in range(1, 6):
        rig.store(f"title/v720-1/0000{number}.m4s", bytes([number]) * number * 1000)
    client = rig.client()
    requests = [f"GET /s/title/v720-1/0000{number}.m4s HTTP/1.1\r\nHost: t\r\n\r\n" for number in range(1, 6)]
    client.send("".join(requests))
    assert [client.answer()[2] for _ in range(5)] == [bytes([number]) * number * 1000 for number in range(1, 6)]


def test_a_head_may_arrive_byte_by_byte(rig):
    rig.store(KEY, DATA)
    client = rig.client()
    for byte in f"GET {PATH} HTTP/1.1\r\nHost: t\r\n\r\n".encode():
        client.send(bytes([byte]))
    assert client.answer()[2] == DATA


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET /s/a/b HTTP/1.1", 404),
        ("GET / HTTP/1.1", 404),
        ("POST /s/a/b/c HTTP/1.1", 405),
        ("OPTIONS /x HTTP/1.1", 204),
    ],
)
def test_what_is_no_segment_is_refused_and_the_connection_stays(rig, request_line, status):
    client = rig.client()
    for _ in range(2):
        client.send(f"{request_line}\r\nHost: t\r\n\r\n")
        assert client.answer()[0] == status


def test_garbage_gets_400_and_the_connection_ends(rig):
    client = rig.client()
    client.send("HELO me\r\n\r\n")
    assert client.answer()[0] == 400
    assert client.ends()


def test_a_request_with_a_body_is_the_last_of_its_connection(rig):
    rig.store(KEY, DATA)
    client = rig.client()
    client.send(
        f"GET {PATH} HTTP/1.1\r\nHost: t\r\nContent-Length: 40\r\n\r\nGET /s/x/y/z HTTP/1.1\r\nHost: smuggled\r\n\r\n"
    )
    status, fields, body = client.answer()
    assert (status, fields["connection"], body) == (200, "close", DATA)
    assert client.ends()


def test_a_head_longer_than_the_limit_is_431(make_rig):
    client = make_rig(header_bytes=1000).client()
    client.send("GET / HTTP/1.1\r\nHost: t\r\nX: " + "a" * 2000)
    assert client.answer()[0] == 431
    assert client.ends()


def test_a_head_that_does_not_come_in_time_is_408(make_rig):
    client = make_rig(header_timeout_s=0.2).client()
    client.send("GET / HT")
    assert client.answer()[0] == 408
    assert client.ends()


def test_an_idle_connection_is_closed_in_time(make_rig):
    rig = make_rig(idle_timeout_s=0.2)
    client = rig.client()
    assert client.get("/healthz")[0] == 200
    assert client.ends()


def test_a_reader_slower_than_the_limit_is_cut(make_rig):
    rig = make_rig(send_timeout_s=0.2, min_send_bytes_per_s=1_000_000_000)
    rig.store(KEY, os.urandom(30_000_000))
    client = rig.client(receive_buffer=16384)
    client.send(f"GET {PATH} HTTP/1.1\r\nHost: t\r\n\r\n")
    client.head()
    rig.until(lambda: rig.worker.counters.timeouts == 1, "cut")
    with pytest.raises((EOFError, ConnectionResetError)):
        client.body(30_000_000)


def test_connections_beyond_the_limit_are_closed_and_counted(make_rig):
    rig = make_rig(connections=2)
    first, second = rig.client(), rig.client()
    assert first.get("/healthz")[0] == second.get("/healthz")[0] == 200
    assert rig.client().ends()
    assert rig.worker.counters.refused == 1
    assert first.get("/healthz")[0] == 200


def test_connections_of_one_prefix_are_limited(make_rig):
    rig = make_rig(connections_per_prefix=1)
    first = rig.client()
    assert first.get("/healthz")[0] == 200
    assert rig.client().ends()
    first.close()
    rig.until(lambda: not rig.worker._connections, "forgotten")
    assert rig.client().get("/healthz")[0] == 200


def test_the_last_request_a_connection_may_have_closes_it(make_rig):
    rig = make_rig(requests_per_connection=4)
    rig.store(KEY, DATA)
    client = rig.client()
    answers = [client.get(PATH) for _ in range(4)]
    assert [body for _, _, body in answers] == [DATA] * 4
    assert [fields.get("connection") for _, fields, _ in answers] == [None, None, None, "close"]
    assert client.ends()


def test_a_slow_reader_does_not_hold_up_others(rig):
    rig.store(KEY, os.urandom(6_000_000))
    rig.store("title/v720-1/00002.m4s", DATA)
    slow = rig.client(receive_buffer=16384)
    slow.send(f"GET {PATH} HTTP/1.1\r\nHost: t\r\n\r\n")
    for _ in range(3):
        assert rig.client().get("/s/title/v720-1/00002.m4s")[2] == DATA
    slow.head()
    assert len(slow.body(6_000_000)) == 6_000_000


def test_a_client_that_resets_in_mid_send_is_counted_and_forgotten(rig):
    rig.store(KEY, os.urandom(6_000_000))
    client = rig.client(receive_buffer=16384)
    client.send(f"GET {PATH} HTTP/1.1\r\nHost: t\r\n\r\n")
    client.head()
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    client.close()
    rig.until(lambda: rig.worker.counters.aborted == 1, "aborted")
    assert rig.client().get("/healthz")[0] == 200


def test_draining_finishes_what_is_in_flight_and_ends_the_worker(make_rig):
    rig = make_rig(drain_idle_s=0.1)
    rig.store(KEY, os.urandom(6_000_000))
    busy, idle = rig.client(receive_buffer=16384), rig.client()
    assert idle.get("/healthz")[0] == 200
    busy.send(f"GET {PATH} HTTP/1.1\r\nHost: t\r\n\r\n")
    busy.head()
    rig.worker.drain()
    assert len(busy.body(6_000_000)) == 6_000_000
    assert idle.ends()
    rig.thread.join(10)
    assert not rig.thread.is_alive()


# -- with a keeper ------------------------------------------------------------------------------------


def arriving(rig):
    """A file that grows, as the keeper writes it."""
    path = rig.disk / "incoming"
    path.write_bytes(b"")
    return path, link.Growing(KEY, str(path), len(DATA), 0)


def ask(rig, *fields):
    client = rig.client()
    client.send("\r\n".join([f"GET {PATH} HTTP/1.1", "Host: t", *fields, "", ""]))
    return client


def test_without_a_keeper_what_is_absent_is_503_after_a_moment(make_rig):
    rig = make_rig(keeper_grace_s=0.2)
    rig.keeper.close()
    rig.until(lambda: not rig.worker.misses.linked, "unlinked")
    status, fields, _ = rig.client().get(PATH)
    assert (status, fields["retry-after"]) == (503, "1")


def test_many_who_miss_the_same_object_are_one_want_and_all_are_served_as_it_grows(rig):
    rig.keeper.accept([rig.disk])
    clients = [ask(rig) for _ in range(50)]
    assert rig.keeper.hear(link.Want) == link.Want(KEY)
    path, growing = arriving(rig)
    rig.keeper.say(growing)
    for client in clients:
        status, fields = client.head()
        assert (status, int(fields["content-length"])) == (200, len(DATA))
        assert fields["cache-status"] == "t1; fwd=uri-miss; stored"
    with path.open("ab") as file:
        file.write(DATA[:100_000])
    rig.keeper.say(link.Grown(KEY, 100_000))
    assert all(client.body(100_000) == DATA[:100_000] for client in clients)
    with path.open("ab") as file:
        file.write(DATA[100_000:])
    final = rig.store("title/v720-1/x.tmp", b"")
    os.rename(path, final.with_name("00001.m4s"))
    rig.keeper.say(link.Grown(KEY, len(DATA)), link.Stored(KEY, str(final.with_name("00001.m4s"))))
    assert all(client.body(200_000) == DATA[100_000:] for client in clients)
    assert rig.client().get(PATH)[1]["cache-status"] == "t1; hit"
    assert not [message for message in rig.keeper.heard if isinstance(message, link.Want)]


def test_an_object_that_has_its_real_name_already_is_served(rig):
    rig.keeper.accept([rig.disk])
    client = ask(rig)
    rig.keeper.hear(link.Want)
    rig.store(KEY, DATA)
    rig.keeper.say(link.Growing(KEY, str(rig.disk / "incoming" / "gone"), len(DATA), len(DATA)))
    assert client.answer()[2] == DATA


def test_a_range_of_a_growing_object_waits_for_its_bytes(rig):
    rig.keeper.accept([rig.disk])
    client = ask(rig, "Range: bytes=200000-200009")
    rig.keeper.hear(link.Want)
    path, growing = arriving(rig)
    rig.keeper.say(growing)
    assert client.head()[0] == 206
    path.write_bytes(DATA)
    rig.keeper.say(link.Grown(KEY, 200_005), link.Grown(KEY, len(DATA)))
    assert client.body(10) == DATA[200_000:200_010]


def test_an_object_that_breaks_off_is_cut_never_completed(rig):
    rig.keeper.accept([rig.disk])
    client = ask(rig)
    rig.keeper.hear(link.Want)
    path, growing = arriving(rig)
    path.write_bytes(DATA)
    rig.keeper.say(growing, link.Grown(KEY, 1000), link.Failed(KEY, "upstream lied"))
    with pytest.raises((EOFError, ConnectionResetError)):
        client.answer()
    again = ask(rig)
    assert rig.keeper.hear(link.Want) == link.Want(KEY)
    rig.keeper.say(link.Refused(KEY, 404, "no such object"))
    assert again.answer()[0] == 404


def test_when_the_keeper_dies_hits_go_on_and_waiters_are_asked_for_again(rig):
    rig.store("title/v720-1/00002.m4s", DATA)
    rig.keeper.accept([rig.disk])
    client = ask(rig)
    rig.keeper.hear(link.Want)
    rig.keeper.sock.close()
    assert rig.client().get("/s/title/v720-1/00002.m4s")[2] == DATA
    assert rig.keeper.accept([rig.disk]).worker == 0
    assert rig.keeper.hear(link.Want).key == KEY
    rig.keeper.say(link.Refused(KEY, 502, "no"))
    assert client.answer()[0] == 502


def test_a_keeper_that_never_answers_is_504(make_rig):
    rig = make_rig(miss_timeout_s=0.2)
    rig.keeper.accept([rig.disk])
    client = ask(rig)
    assert client.answer()[0] == 504
    assert client.get("/healthz")[0] == 200


def test_what_is_gone_is_not_served_again(rig):
    path = rig.store(KEY, DATA)
    rig.keeper.accept([rig.disk])
    assert rig.client().get(PATH)[0] == 200
    path.unlink()
    assert rig.client().get(PATH)[0] == 200, "open files outlive their names"
    rig.keeper.say(link.Gone("title/v720-1/"))
    client = ask(rig)
    assert rig.keeper.hear(link.Want).key == KEY
    rig.keeper.say(link.Refused(KEY, 404, "gone"))
    assert client.answer()[0] == 404


def test_a_request_that_was_here_before_is_a_loop(rig):
    rig.keeper.accept([rig.disk])
    assert ask(rig, "CDN-Loop: other, t1").answer()[0] == 508


def test_the_keeper_hears_what_was_served(rig):
    rig.store(KEY, DATA)
    rig.keeper.accept([rig.disk])
    for _ in range(3):
        rig.client().get(PATH)
    rows = []
    while not rows:
        served = rig.keeper.hear(link.Served)
        rows += served.rows
    assert rows == [link.ServedRow("title", "v720-1", 3, 3 * len(DATA), {"00001.m4s": 3})]
    assert served.counters["oca_front_requests_total"] == 3


def test_open_files_stay_within_their_limit(make_rig):
    rig = make_rig(open_files=4)
    client = rig.client()
    for number in range(40):
        rig.store(f"title/v720-1/{number}.m4s", DATA[:100])
        assert client.get(f"/s/title/v720-1/{number}.m4s")[0] == 200
    assert len(rig.worker.table) <= 4
