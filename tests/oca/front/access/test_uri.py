"""catu: components of a URL, matches of each kind, and expressions that are let in or kept out."""

import hashlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.front.access import uri
from oca.front.access.uri import Target, below, exactly, expression, readings, rules

TARGET = Target(b"http", b"Edge-A.example:8311", b"/s/bunny/v720-1f/00001.tar.gz", b"a=1&b=2")


def holds(claim, target=TARGET):
    return all(rule.holds(target) for rule in rules(claim))


@pytest.mark.parametrize(
    ("component", "expected"),
    [
        (uri.SCHEME, (b"http",)),
        (uri.HOST, (b"edge-a.example",)),
        (uri.PORT, (b"8311",)),
        (uri.PATH, (b"/s/bunny/v720-1f/00001.tar.gz",)),
        (uri.QUERY, (b"a=1&b=2",)),
        (uri.PARENT, (b"/s/bunny/v720-1f", b"/s/bunny/v720-1f/")),
        (uri.FILENAME, (b"00001.tar.gz",)),
        (uri.STEM, (b"00001", b"00001.tar")),
        (uri.EXTENSION, (b".tar.gz", b".gz", b"gz")),
    ],
)
def test_a_url_has_these_components(component, expected):
    assert readings(component, TARGET) == expected


@pytest.mark.parametrize(
    ("scheme", "authority", "host", "port"),
    [
        (b"http", b"a:80", b"a", b""),
        (b"https", b"a:443", b"a", b""),
        (b"https", b"a:80", b"a", b"80"),
        (b"http", b"a", b"a", b""),
        (b"http", b"[2001:db8::1]", b"[2001:db8::1]", b""),
        (b"http", b"[2001:db8::1]:8080", b"[2001:db8::1]", b"8080"),
        (b"http", b"", b"", b""),
    ],
)
def test_a_port_that_is_the_schemes_own_is_empty(scheme, authority, host, port):
    target = Target(scheme, authority, b"/", b"")
    assert readings(uri.HOST, target) + readings(uri.PORT, target) == (host, port)


def test_a_name_without_a_dot_is_all_stem():
    target = Target(b"http", b"a", b"/s/t/r/readme", b"")
    assert readings(uri.STEM, target) == (b"readme",)
    assert readings(uri.EXTENSION, target) == (b"",)


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ({uri.PATH: {uri.PREFIX: "/s/bunny/"}}, True),
        ({uri.PATH: {uri.PREFIX: "/s/bear/"}}, False),
        ({uri.PATH: {uri.EXACT: "/s/bunny/v720-1f/00001.tar.gz"}}, True),
        ({uri.PATH: {uri.EXACT: "/s/bunny/"}}, False),
        ({uri.PATH: {uri.SUFFIX: ".gz"}}, True),
        ({uri.PATH: {uri.CONTAINS: "/v720-"}}, True),
        ({uri.PATH: {uri.CONTAINS: "/v360-"}}, False),
        ({uri.PATH: {uri.PREFIX: "/s/", uri.SUFFIX: ".mp4"}}, False),
        ({uri.PATH: {uri.REGEX: ("^/s/[a-z]+/v(360|720)-",)}}, True),
        ({uri.PATH: {uri.REGEX: ("^/s/[a-z]+/a",)}}, False),
        ({uri.PARENT: {uri.SHA256: hashlib.sha256(b"/s/bunny/v720-1f").digest()}}, True),
        ({uri.PARENT: {uri.SHA256: hashlib.sha256(b"/s/bunny/v720-1f/").hexdigest()}}, True),
        ({uri.PARENT: {uri.SHA256: hashlib.sha256(b"/s/bunny").digest()}}, False),
        ({uri.EXTENSION: {uri.EXACT: ".tar.gz"}, uri.HOST: {uri.SUFFIX: ".example"}}, True),
        ({uri.EXTENSION: {uri.EXACT: "gz"}, uri.HOST: {uri.SUFFIX: ".other"}}, False),
        ({uri.PORT: {uri.EXACT: "8311"}, uri.SCHEME: {uri.EXACT: "http"}}, True),
    ],
)
def test_every_match_of_every_component_must_hold(claim, expected):
    assert holds(claim) == expected


@pytest.mark.parametrize(
    "claim",
    [
        {},
        (),
        "path",
        {9: {0: "x"}},
        {-1: {0: "x"}},
        {"path": {0: "x"}},
        {uri.PATH: {}},
        {uri.PATH: "/s/"},
        {uri.PATH: {5: "x"}},
        {uri.PATH: {uri.EXACT: b"x"}},
        {uri.PATH: {uri.PREFIX: None}},
        {uri.PATH: {uri.REGEX: "a"}},
        {uri.PATH: {uri.REGEX: ("a", "b")}},
        {uri.PATH: {uri.SHA256: b"short"}},
        {uri.PATH: {uri.SHA256: "zz"}},
        {uri.PATH: {uri.REGEX: ("(",)}},
        {uri.PATH: {uri.REGEX: ("[z-a]",)}},
    ],
)
def test_what_is_not_understood_is_refused(claim):
    with pytest.raises(ValueError, match="catu"):
        rules(claim)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a*)*",
        "(a|b)+",
        "(ab){2}",
        "a**",
        "*a",
        "x*?",
        "x++",
        r"\d+",
        r"a\b",
        r"(a)\1",
        "(?:a)",
        "(?=a)",
        "[[:alpha:]]",
        r"[\d]",
        "a+b+c+",
        "^a+b+c+d+",
        "a{3",
        "a}",
        "a)",
        "\u00e4",
        "a" * 257,
    ],
)
def test_expressions_that_are_not_posix_or_could_run_away_are_refused(pattern):
    with pytest.raises(ValueError, match="expression"):
        expression(pattern)


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("^/s/[^/]+/[^/]+/[0-9]+[.]m4s$", b"/s/bunny/v720-1f/00001.m4s", True),
        ("^/s/[^/]+/[^/]+/[0-9]+[.]m4s$", b"/s/bunny/v720-1f/init.mp4", False),
        (r"\.m4s$", b"/s/a/b/1.m4s", True),
        ("v(360|720)p?", b"v360", True),
        ("a{1,3}$", b"aaa", True),
        ("[]x]", b"]", True),
        ("", b"anything", True),
    ],
)
def test_expressions_are_searched_as_posix_would(pattern, value, expected):
    assert expression(pattern)(value) is expected


@given(st.text("a()[]{}*+?|^$.\\-,0123:", max_size=12), st.binary(max_size=40))
def test_no_expression_crashes_or_runs_away(pattern, value):
    try:
        test = expression(pattern)
    except ValueError:
        return
    test(value)


def test_the_slowest_expression_let_in_ends_in_time():
    test = expression("^.*.*.*x")
    began = time.process_time()
    assert not test(b"a" * uri.VALUE_LIMIT)
    assert time.process_time() - began < 2.0
    assert not test(b"x" * (uri.VALUE_LIMIT + 1))


@given(st.binary(max_size=30), st.binary(max_size=30))
def test_a_path_rule_is_equality_or_a_prefix(path, other):
    target = Target(b"http", b"", path, b"")
    assert exactly(other).holds(target) == (path == other)
    assert below(other).holds(target) == path.startswith(other)


@given(st.binary(max_size=60), st.binary(max_size=30), st.integers(0, 8))
def test_no_url_crashes_the_components(path, authority, component):
    assert all(isinstance(value, bytes) for value in readings(component, Target(b"http", authority, path, b"")))
