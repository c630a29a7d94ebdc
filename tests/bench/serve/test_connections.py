import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.serve.connections import BadAnswerError, Pool, Target, body_left
from tests.bench.serve.conftest import answer, heads, polite

DEADLINE_S = 10.0


def completed(pool, count):
    """The next `count` links that are done, broken or not."""
    until = time.monotonic() + DEADLINE_S
    found = []
    while len(found) < count:
        assert time.monotonic() < until, f"{len(found)} of {count}"
        found += pool.answers(0.1)
    return found


@given(st.binary(max_size=300), st.integers(0, 300))
def test_what_is_left_of_a_body_is_its_length_without_what_came_with_the_head(body, cut):
    whole = answer(body)
    head_end = len(whole) - len(body)
    part = whole[: head_end + min(cut, len(body))]
    assert body_left(part) == len(whole) - len(part)
    assert body_left(whole[: head_end - 1]) == -1


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\n" + b"X" * 20_000,
    ],
)
def test_an_answer_that_is_not_one_to_our_request_is_refused(data):
    with pytest.raises(BadAnswerError):
        body_left(data)


def test_every_byte_of_an_answer_is_counted_and_discarded(scripted):
    target = Target(scripted(polite).address)
    with Pool(target, 1, time.monotonic) as pool:
        (link,) = pool.links.values()
        for _ in range(3):
            assert pool.ask(link, target.request("/s/a/b/c")) is link
            assert completed(pool, 1) == [link]
            assert link.received == len(answer(b"x" * 10_000))
            assert link.first_at >= link.asked_at > 0


def test_a_head_that_comes_in_pieces_is_put_together(scripted):
    def dribble(sock):
        for _ in heads(sock):
            whole = answer(b"y" * 100)
            for start in range(0, len(whole), 7):
                sock.sendall(whole[start : start + 7])

    target = Target(scripted(dribble).address)
    with Pool(target, 1, time.monotonic) as pool:
        (link,) = pool.links.values()
        pool.ask(link, target.request("/"))
        assert completed(pool, 1) == [link]
        assert link.received == len(answer(b"y" * 100))


def test_a_server_that_closes_in_mid_answer_breaks_the_link_and_the_next_request_opens_another(scripted):
    def cut(sock):
        next(heads(sock))
        sock.sendall(answer(b"z" * 1000)[:-1])

    server = scripted(cut)
    target = Target(server.address)
    with Pool(target, 1, time.monotonic) as pool:
        (link,) = pool.links.values()
        pool.ask(link, target.request("/"))
        assert completed(pool, 1) == [link]
        assert link.broken
        assert link.busy
        assert not pool.links
        fresh = pool.ask(link, target.request("/"))
        assert completed(pool, 1) == [fresh]
        assert server.accepted == 2


def test_an_idle_link_that_the_server_closes_is_broken_but_was_not_busy(scripted):
    def leave(sock):
        next(heads(sock))
        sock.sendall(answer(b""))

    target = Target(scripted(leave).address)
    with Pool(target, 1, time.monotonic) as pool:
        (link,) = pool.links.values()
        pool.ask(link, target.request("/"))
        assert completed(pool, 2) == [link, link]
        assert link.broken
        assert not link.busy
