import time

import pytest

from bench.serve import closed_loop
from bench.serve.asking_once import ask_once, used_pool
from bench.serve.connections import Pool, Target
from tests.bench.serve.conftest import answer, heads, polite


def asking(target):
    return lambda: target.request("/s/a/b/c")


def test_active_links_ask_again_and_again_and_the_others_never(scripted):
    asked = []

    def count(sock):
        for _ in heads(sock):
            asked.append(sock.fileno())
            sock.sendall(answer(b"x" * 1000))

    target = Target(scripted(count).address)
    with Pool(target, 5, time.monotonic) as pool:
        outcome = closed_loop.run(pool, asking(target), active=2, seconds=0.2, monotonic=time.monotonic)
    assert len(set(asked)) == 2
    assert outcome.requests == len(asked) == len(outcome.ttfb_s) > 4
    assert outcome.bytes == outcome.requests * len(answer(b"x" * 1000))
    assert outcome.failures == 0


def test_answers_under_way_when_the_time_is_up_are_finished(scripted):
    def slow(sock):
        for _ in heads(sock):
            time.sleep(0.3)
            sock.sendall(answer(b"x"))

    target = Target(scripted(slow).address)
    with Pool(target, 3, time.monotonic) as pool:
        outcome = closed_loop.run(pool, asking(target), active=3, seconds=0.05, monotonic=time.monotonic)
        assert not any(link.busy for link in pool.links.values())
    assert outcome.requests == 3
    assert outcome.seconds >= 0.3


def test_a_server_that_cuts_every_answer_gives_failures_and_an_end(scripted):
    def cut(sock):
        next(heads(sock))
        sock.sendall(b"HTTP/1.1 200 OK\r\n")

    target = Target(scripted(cut).address)
    with Pool(target, 2, time.monotonic) as pool:
        outcome = closed_loop.run(pool, asking(target), active=2, seconds=0.2, monotonic=time.monotonic)
    assert outcome.requests == 0
    assert outcome.failures > 2


def test_a_pool_that_lost_links_is_whole_again_for_the_next_run(scripted):
    target = Target(scripted(polite).address)
    with Pool(target, 3, time.monotonic) as pool:
        pool.drop(next(iter(pool.links.values())))
        outcome = closed_loop.run(pool, asking(target), active=3, seconds=0.05, monotonic=time.monotonic)
        assert len(pool.links) == 3
    assert outcome.failures == 0


def test_every_link_asks_once_when_told_so(scripted):
    requests = []

    def count(sock):
        for head in heads(sock):
            requests.append(head)
            sock.sendall(answer(b"x"))

    target = Target(scripted(count).address)
    with used_pool(target, 150, asking(target), time.monotonic) as pool:
        assert len(requests) == len(pool.links) == 150
        assert ask_once(pool, asking(target), time.monotonic, list(pool.links.values())[:7]) == 0
    assert len(requests) == 157


def test_a_server_that_answers_none_of_the_new_connections_gives_no_pool(scripted):
    target = Target(scripted(lambda sock: next(heads(sock))).address)
    with pytest.raises(ConnectionError, match="3 of 3 new connections"):
        used_pool(target, 3, asking(target), time.monotonic)
