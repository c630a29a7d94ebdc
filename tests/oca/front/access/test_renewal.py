"""Renewal: when it is due, how it goes back, and what never gets into a response's head."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oca.front.access.renewal import AUTOMATIC, COOKIE, HEADER, REDIRECT, due, field, read


def test_automatic_renewal_goes_back_the_way_the_token_came():
    wish = read({0: AUTOMATIC, 1: 600})
    assert field(wish, "header", "T") == b"CTA-Common-Access-Token: T\r\n"
    assert field(wish, "cookie", "T") == b"Set-Cookie: CTA-Common-Access-Token=T\r\n"
    assert field(wish, "query", "T") == b""
    assert field(wish, "path", "T") == b""


def test_a_token_may_say_how_it_is_renewed():
    cookie = read({0: COOKIE, 1: 600, 3: "session", 5: ("Secure", "Path=/s/")})
    assert field(cookie, "path", "T") == b"Set-Cookie: session=T; Secure; Path=/s/\r\n"
    header = read({0: HEADER, 1: 600, 4: "X-Token", 6: "v=1"})
    assert field(header, "query", "T") == b"X-Token: T; v=1\r\n"


def test_a_redirect_is_left_to_the_issuer():
    assert field(read({0: REDIRECT, 1: 600, 7: 307}), "query", "T") == b""


def test_it_is_due_within_the_deadline_and_never_after_the_end():
    wish = read({0: AUTOMATIC, 1: 600, 2: 120})
    moments = [(1000 - 121, False), (1000 - 120, True), (999, True), (1000, False), (1001, False)]
    assert [due(wish, 1000.0, now) for now, _ in moments] == [expected for _, expected in moments]


def test_it_is_not_due_when_it_would_shorten_the_token():
    assert not due(read({0: AUTOMATIC, 1: 10, 2: 120}), 1000.0, 900.0)


@pytest.mark.parametrize(
    "claim",
    [
        None,
        {},
        (),
        {0: 4, 1: 600},
        {0: True, 1: 600},
        {0: 0},
        {0: 0, 1: 0},
        {0: 0, 1: -1},
        {0: 0, 1: "600"},
        {0: 0, 1: 10**9},
        {0: 0, 1: True},
        {0: 0, 1: 600, 8: 1},
        {0: 0, 1: 600, 3: "a b"},
        {0: 0, 1: 600, 3: "a=b"},
        {0: 0, 1: 600, 4: "X\r\nY"},
        {0: 0, 1: 600, 4: "Content-Length"},
        {0: 0, 1: 600, 4: "set-cookie"},
        {0: 0, 1: 600, 4: "Transfer-Encoding"},
        {0: 0, 1: 600, 4: "Access-Control-Allow-Origin"},
        {0: 0, 1: 600, 4: "x" * 65},
        {0: 0, 1: 600, 5: ("a\r\nb",)},
        {0: 0, 1: 600, 5: ("a;b",)},
        {0: 0, 1: 600, 6: (1,)},
        {0: 0, 1: 600, 6: ("a",) * 9},
    ],
)
def test_what_is_not_understood_or_could_split_a_head_is_refused(claim):
    with pytest.raises(ValueError, match="catr"):
        read(claim)


texts = st.text(max_size=10)


@settings(max_examples=50)
@given(
    st.fixed_dictionaries(
        {0: st.integers(0, 3), 1: st.floats(1, 1000)},
        optional={3: texts, 4: texts, 5: st.lists(texts).map(tuple), 6: texts},
    ),
    st.sampled_from(["header", "cookie"]),
)
def test_what_is_sent_is_one_line(claim, carrier):
    try:
        line = field(read(claim), carrier, "T")
    except ValueError:
        return
    assert line.count(b"\r") == line.count(b"\n") == bool(line)
    assert line == b"" or line.endswith(b"\r\n")
