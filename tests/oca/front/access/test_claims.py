"""Claims: what limits a token is read or refuses it, what informs is read over."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oca.front.access import cbor, claims
from oca.front.access.cbor import Tag
from oca.front.access.claims import ClaimError, read
from oca.front.access.network import network

EXP = 1_800_000_000


def told(**extra):
    raw = {claims.EXP: EXP, **{int(number[1:]): value for number, value in extra.items()}}
    return read(cbor.encode(raw))


def test_all_that_is_known_is_read():
    found = told(
        _1="issuer",
        _2="viewer",
        _3=["a", "b"],
        _5=EXP - 3600.5,
        _6=EXP - 3600,
        _7=b"id",
        _308=0,
        _310=1,
        _311=[64496, Tag(52, (24, b"\xc0\x00\x02"))],
        _312={3: {1: "/s/bunny/"}},
        _313=["GET", "HEAD"],
        _320="data",
        _323={0: 0, 1: 600},
    )
    assert (found.expires, found.starts, found.issuer) == (EXP, EXP - 3600.5, "issuer")
    assert found.audiences == ("a", "b")
    assert found.methods == frozenset((b"GET", b"HEAD"))
    assert found.networks == (network("192.0.2.0/24"),)
    assert len(found.rules) == 1
    assert found.renewal.adds_s == 600


def test_one_audience_may_stand_alone():
    assert told(_3="a").audiences == ("a",)


def test_only_as_numbers_leave_nobody():
    assert told(_311=[64496]).networks == ()


@pytest.mark.parametrize(
    ("number", "value", "words"),
    [
        (1, 5, "iss"),
        (3, [], "aud"),
        (3, [1], "aud"),
        (4, "soon", "time"),
        (4, True, "time"),
        (5, Tag(1, 5), "time"),
        (8, {1: {}}, "cnf cannot be checked"),
        (308, 1, "catreplay"),
        (308, 2, "catreplay"),
        (308, False, "catreplay"),
        (309, [0.5, 1], "catpor cannot be checked"),
        (310, 2, "catv"),
        (310, True, "catv"),
        (311, [], "catnip"),
        (311, ["192.0.2.1"], "catnip"),
        (312, {}, "catu"),
        (313, "GET", "catm"),
        (313, ["GET"] * 257, "catm"),
        (315, {"x": {0: "y"}}, "cath cannot be checked"),
        (316, ["CH"], "catgeoiso3166 cannot be checked"),
        (321, {}, "catdpop cannot be checked"),
        (322, {}, "catif cannot be checked"),
        (323, {0: 0}, "catr"),
        (282, "u0", "geohash cannot be checked"),
        (999, 1, "unknown number"),
        (-1, 1, "unknown number"),
    ],
)
def test_a_claim_that_cannot_be_honoured_refuses_the_token(number, value, words):
    with pytest.raises(ClaimError, match=words):
        read(cbor.encode({claims.EXP: EXP, number: value}))


def test_a_claim_with_a_text_for_a_key_refuses_the_token():
    with pytest.raises(ClaimError, match="unknown"):
        read(cbor.encode({claims.EXP: EXP, "own": 1}))


def test_a_token_without_an_end_is_refused():
    with pytest.raises(ClaimError, match="exp"):
        read(cbor.encode({claims.ISS: "x"}))


@pytest.mark.parametrize("payload", [b"", b"\xff", cbor.encode([1]), cbor.encode("x")])
def test_what_is_no_map_of_claims_is_refused(payload):
    with pytest.raises(ClaimError):
        read(payload)


values = st.recursive(
    st.one_of(st.integers(-5, 400), st.text(max_size=5), st.binary(max_size=16), st.booleans(), st.none()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.integers(-2, 9), inner, max_size=3),
        st.builds(Tag, st.sampled_from([52, 54]), inner),
    ),
    max_leaves=6,
)


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from([*claims.NAMES, 999]), values, max_size=5))
def test_no_claims_crash_it(raw):
    try:
        read(cbor.encode(raw))
    except ClaimError:
        return
