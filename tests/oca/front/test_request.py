"""Heads that are requests, and heads that must be refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.front.request import BadRequestError, parse_head


def parsed(*lines, limit=64):
    return parse_head("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n", field_limit=limit)


def test_a_plain_request_is_taken_apart():
    request = parsed("GET /s/a/b/c?CMCD=x HTTP/1.1", "Host: edge", "Range: bytes=0-1", "X-A: 1", "x-a: 2")
    assert (request.method, request.path, request.query) == (b"GET", b"/s/a/b/c", b"CMCD=x")
    assert request.headers == {b"host": b"edge", b"range": b"bytes=0-1", b"x-a": b"1, 2"}
    assert request.keep_alive
    assert request.body_length == 0


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["GET / HTTP/1.1"], 400),
        (["GET / HTTP/1.1", "Host: a", "Host: b"], 400),
        (["GET / HTTP/1.1", "Host: a b"], 400),
        (["GET / HTTP/1.1", "Host: a/b"], 400),
        (["GET / HTTP/1.1", "Host: a", "Content-Length: 1", "Transfer-Encoding: chunked"], 400),
        (["GET / HTTP/1.1", "Host: a", "Content-Length: 1", "Content-Length: 2"], 400),
        (["GET / HTTP/1.1", "Host: a", "Content-Length: +1"], 400),
        (["GET / HTTP/1.1", "Host: a", "Content-Length: 1, 1"], 400),
        (["GET / HTTP/1.1", "Host: a", "Transfer-Encoding: gzip, chunked"], 501),
        (["GET / HTTP/1.1", "Host: a", " folded: yes"], 400),
        (["GET / HTTP/1.1", "Host : a"], 400),
        (["GET /\x00 HTTP/1.1", "Host: a"], 400),
        (["GET /a\nb HTTP/1.1", "Host: a"], 400),
        (["GET /s/../x HTTP/1.1", "Host: a"], 400),
        (["GET /s/%2e%2e/x HTTP/1.1", "Host: a"], 400),
        (["GET /s/a%2fb HTTP/1.1", "Host: a"], 400),
        (["GET /s/a%5Cb HTTP/1.1", "Host: a"], 400),
        (["GET /s/a%00 HTTP/1.1", "Host: a"], 400),
        (["GET /s/a%zz HTTP/1.1", "Host: a"], 400),
        (["GET http://b/x HTTP/1.1", "Host: a"], 400),
        (["GET x HTTP/1.1", "Host: a"], 400),
        (["GET / HTTP/2.0", "Host: a"], None),
        (["GARBAGE"], 400),
        (["GET / HTTP/1.1 x", "Host: a"], 400),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(lines, status):
    with pytest.raises(BadRequestError) as refused:
        parsed(*lines)
    assert status is None or refused.value.status == status
    assert refused.value.reason


def test_unreserved_characters_are_decoded_and_absolute_form_is_read():
    assert parsed("GET /s/%61/b HTTP/1.1", "Host: a").path == b"/s/a/b"
    request = parsed("GET http://Edge:81/s/a?q HTTP/1.1", "Host: edge:81")
    assert (request.path, request.query) == (b"/s/a", b"q")


def test_too_many_fields_are_431():
    with pytest.raises(BadRequestError) as refused:
        parsed("GET / HTTP/1.1", "Host: a", *[f"x{i}: 1" for i in range(70)])
    assert refused.value.status == 431


def test_http_1_0_needs_no_host_and_closes():
    request = parsed("GET /x HTTP/1.0")
    assert not request.keep_alive


def test_an_upgrade_is_ignored_and_is_the_last_request():
    request = parsed("GET /x HTTP/1.1", "Host: a", "Connection: Upgrade", "Upgrade: h2c")
    assert not request.keep_alive


@given(st.binary(max_size=200))
def test_any_bytes_give_a_request_or_a_refusal(data):
    try:
        request = parse_head(data + b"\r\n\r\n", field_limit=64)
    except BadRequestError as refused:
        assert refused.status in {400, 431, 501, 505}  # noqa: PT017
    else:
        assert request.path.startswith(b"/") or request.path == b"*" or request.method == b"CONNECT"
