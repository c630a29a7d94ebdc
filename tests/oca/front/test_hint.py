"""Hints of what comes next: whatever a stranger writes, only keys below /s/ come out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.front.cmcd import Cmcd
from oca.front.hint import Hint, hint
from oca.front.table import key_of

PATH = b"/s/bunny/v720-1f/00001.m4s"


@pytest.mark.parametrize(
    ("nor", "key"),
    [
        ("00002.m4s", "bunny/v720-1f/00002.m4s"),
        ("./00002.m4s", "bunny/v720-1f/00002.m4s"),
        ("..%2Fv360-aa%2F00002.m4s", "bunny/v360-aa/00002.m4s"),
        ("../../bear/v1-2/1.m4s", "bear/v1-2/1.m4s"),
        ("/s/bunny/v360-aa/00002.m4s", "bunny/v360-aa/00002.m4s"),
        ("00002.m4s?CMCD=su#t", "bunny/v720-1f/00002.m4s"),
        ("http://edge:80/s/bunny/v720-1f/00002.m4s", "bunny/v720-1f/00002.m4s"),
        ("HTTPS://EDGE:80/s/bunny/v720-1f/00002.m4s", "bunny/v720-1f/00002.m4s"),
    ],
)
def test_a_reference_is_resolved_against_the_request(nor, key):
    assert hint(Cmcd(nor=nor), PATH, b"edge:80") == Hint(key)


@pytest.mark.parametrize(
    "nor",
    [
        "../../../../etc/passwd",
        "..%2F..%2F..%2F..%2Fs/a/b/c",
        "http://elsewhere/s/bunny/v720-1f/00002.m4s",
        "//elsewhere/s/bunny/v720-1f/00002.m4s",
        "ftp://edge:80/s/a/b/c",
        "javascript:alert(1)",
        "/healthz",
        "/s/a/b",
        "/s/a/b/c/d",
        "/s//b/c",
        "%00",
        "%2e%2e/%2e%2e/%2e%2e/x",
        "..%252f..%252fx",
        "00001.m4s",
        "x" * 2000,
        "a/" * 100,
        "",
    ],
)
def test_what_is_elsewhere_or_nothing_is_no_hint(nor):
    assert hint(Cmcd(nor=nor), PATH, b"edge:80") is None


def test_an_absolute_reference_without_a_host_to_compare_is_no_hint():
    assert hint(Cmcd(nor="http://edge/s/bunny/v720-1f/00002.m4s"), PATH) is None


@pytest.mark.parametrize(
    ("nrr", "expected"),
    [
        ("100-199", Hint("bunny/v720-1f/00001.m4s", 100, 199)),
        ("100-", Hint("bunny/v720-1f/00001.m4s", 100)),
        ("-500", Hint("bunny/v720-1f/00001.m4s", -500)),
        ("-0", None),
        ("200-100", None),
        ("0-1,5-9", None),
        ("bytes=0-1", None),
        ("", None),
    ],
)
def test_a_range_alone_is_of_the_same_object(nrr, expected):
    assert hint(Cmcd(nrr=nrr), PATH) == expected


def test_a_range_goes_with_the_object_named():
    assert hint(Cmcd(nor="init.mp4", nrr="0-99"), PATH) == Hint("bunny/v720-1f/init.mp4", 0, 99)


def test_nothing_announced_is_no_hint():
    assert hint(Cmcd(br=1), PATH) is None


@given(
    st.one_of(
        st.text(max_size=200), st.lists(st.sampled_from(["..", ".", "s", "a", "%2e%2e", "", "%2F"])).map("/".join)
    ),
    st.one_of(st.none(), st.text("0123456789-", max_size=20)),
)
def test_every_hint_is_a_key_below_s(nor, nrr):
    found = hint(Cmcd(nor=nor, nrr=nrr), PATH, b"edge")
    assert found is None or key_of(f"/s/{found.key}".encode()) == found.key
