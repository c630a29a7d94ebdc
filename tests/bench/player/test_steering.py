"""The steering client: when it asks, what it says, and that mishaps keep the old list."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.player.steering import TTL_LIMIT_S, SteeringClient, with_report
from control.wire import SteeringManifest


def client(now: float = 0.0) -> SteeringClient:
    return SteeringClient("http://s/v1/steer/t?session=1", "hls", now=now)


def body(**changes: object) -> bytes:
    fields = {"VERSION": 1, "TTL": 30, "RELOAD-URI": "http://s/again", "PATHWAY-PRIORITY": ["b", "a"]} | changes
    return msgspec.json.encode({key: value for key, value in fields.items() if value is not None})


def test_it_asks_at_once_and_then_when_the_list_is_old() -> None:
    steering = client(now=5.0)
    assert steering.due_in(5.0) == 0.0
    assert steering.answered(200, body(), 6.0) == ("b", "a")
    assert steering.due_in(6.0) == 30.0
    assert steering.due_in(40.0) == 0.0


def test_it_asks_again_where_it_was_told_even_relatively() -> None:
    steering = client()
    steering.answered(200, body(), 0.0)
    assert steering.url == "http://s/again"
    steering.answered(200, body(**{"RELOAD-URI": "then?x=1"}), 0.0)
    assert steering.url == "http://s/then?x=1"
    steering.answered(200, body(**{"RELOAD-URI": None}), 0.0)
    assert steering.url == "http://s/then?x=1"


def test_it_understands_what_our_steering_sends() -> None:
    manifest = SteeringManifest(ttl_s=7, reload_uri="http://s/x", pathway_priority=("n", "o"))
    steering = client()
    assert steering.answered(200, msgspec.json.encode(manifest), 0.0) == ("n", "o")
    assert steering.due_in(0.0) == 7.0


def test_gone_means_ask_no_more() -> None:
    steering = client()
    assert steering.answered(410, b"", 1.0) is None
    assert steering.stopped
    assert steering.due_in(99.0) is None


def test_too_many_requests_means_wait_as_long_as_asked() -> None:
    steering = client()
    assert steering.answered(429, b"", 1.0, retry_after_s=90) is None
    assert steering.due_in(1.0) == 90.0


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (500, b""),
        (404, body()),
        (429, b""),
        (200, b"not json"),
        (200, b"\xff"),
        (200, body(VERSION=2)),
        (200, body(TTL=-5)),
        (200, body(**{"PATHWAY-PRIORITY": []})),
        (200, body(**{"PATHWAY-PRIORITY": "b"})),
    ],
)
def test_any_other_mishap_keeps_the_list_and_asks_again_after_the_old_ttl(status: int, answer: bytes) -> None:
    steering = client()
    steering.answered(200, body(TTL=20), 0.0)
    assert steering.answered(status, answer, 20.0) is None
    assert not steering.stopped
    assert steering.due_in(20.0) == 20.0
    assert steering.last_error


def test_no_answer_keeps_the_list_too() -> None:
    steering = client()
    steering.answered(200, body(TTL=20), 0.0)
    steering.unanswered("no connection", 20.0)
    assert steering.due_in(25.0) == 15.0


def test_a_missing_ttl_is_the_standards_and_a_mad_one_is_bounded() -> None:
    steering = client()
    steering.answered(200, body(TTL=None), 0.0)
    assert steering.due_in(0.0) == 300.0
    steering.answered(200, body(TTL=0), 0.0)
    assert steering.due_in(0.0) == 1.0
    steering.answered(200, body(TTL=10**12), 0.0)
    assert steering.due_in(0.0) == TTL_LIMIT_S


def test_the_question_names_the_pathway_and_the_throughput_in_each_formats_words() -> None:
    assert client().question(pathway="n-1", throughput_bps=None).endswith("?session=1&_HLS_pathway=n-1")
    dash = SteeringClient("http://s/t", "dash", now=0.0)
    asked = dash.question(pathway="n-1", throughput_bps=5_000_000.4)
    assert asked == "http://s/t?_DASH_pathway=%22n-1%22&_DASH_throughput=5000000"


def test_an_earlier_report_in_the_address_is_replaced() -> None:
    url = with_report("http://s/t?a=%20b&c=", "hls", pathway="x", throughput_bps=1)
    again = with_report(url, "hls", pathway="y", throughput_bps=None)
    assert again == "http://s/t?a=%20b&c=&_HLS_pathway=y"


@given(st.integers(0, 700), st.binary(max_size=60), st.floats(0, 1e6))
def test_whatever_is_answered_there_is_a_sane_next_time_or_an_end(status: int, answer: bytes, now: float) -> None:
    steering = client()
    priority = steering.answered(status, answer, now)
    due = steering.due_in(now)
    assert priority is None or priority
    assert (due is None) == (status == 410)
    assert due is None or 0.99 <= due <= TTL_LIMIT_S + 0.01
