"""Common Access Tokens: where they are found, round trips, and every single changed bit."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oca.front.access import cat, claims
from oca.front.access.cat import Carried, find, made, unwrapped, verified
from oca.front.access.keyring import Keyring

PATH = b"/s/bunny/v720-1f/00001.m4s"
TOKEN = b"t" * 80
NAME = b"cta-common-access-token"
RAW = {claims.EXP: 1_800_000_000, claims.CATU: {3: {1: "/s/bunny/"}}, claims.CATM: ["GET"]}


@pytest.mark.parametrize(
    ("path", "query", "headers", "expected"),
    [
        (PATH, b"a=1", {NAME: TOKEN}, Carried(TOKEN, "header", PATH, b"a=1")),
        (PATH, b"CAT=" + TOKEN, {}, Carried(TOKEN, "query", PATH, b"")),
        (PATH, b"a=1&CAT=" + TOKEN + b"&b=2", {}, Carried(TOKEN, "query", PATH, b"a=1&b=2")),
        (
            PATH,
            b"",
            {b"cookie": b"a=1; CTA-Common-Access-Token=" + TOKEN + b"; b=2"},
            Carried(TOKEN, "cookie", PATH, b""),
        ),
        (PATH, b"", {b"cookie": b'CTA-Common-Access-Token="' + TOKEN + b'"'}, Carried(TOKEN, "cookie", PATH, b"")),
        (b"/" + TOKEN + PATH, b"a=1", {}, Carried(TOKEN, "path", PATH, b"a=1")),
        (b"/" + TOKEN + PATH, b"", {NAME: b"x"}, Carried(b"x", "header", PATH, b"")),
        (PATH, b"CAT=a&CAT=" + TOKEN, {}, Carried(b"", "query", PATH, b"")),
        (PATH, b"", {}, None),
        (PATH, b"xCAT=1&CATx=2", {}, None),
        (PATH, b"", {b"cookie": b"XCTA-Common-Access-Token=1"}, None),
        (b"/short/s/a/b/c", b"", {}, None),
        (b"/" + TOKEN, b"", {}, None),
        (b"", b"", {}, None),
    ],
)
def test_a_token_is_found_where_the_standard_puts_it(path, query, headers, expected):
    assert find(path, query, headers) == expected


@settings(max_examples=50)
@given(
    st.fixed_dictionaries(
        {claims.EXP: st.integers(1, 2**40)},
        optional={
            claims.NBF: st.integers(1, 2**40),
            claims.ISS: st.text(max_size=20),
            claims.CTI: st.binary(max_size=16),
            claims.CATM: st.lists(st.sampled_from(["GET", "HEAD"]), min_size=1, max_size=2).map(tuple),
        },
    )
)
def test_a_token_that_is_made_is_verified(secret, private, raw):
    for key in (secret, private):
        told, found = verified(made(raw, key).encode(), Keyring((secret, private)), 4096)
        assert told.raw == raw
        assert found is key


def flipped(text):
    for index in range(8 * len(text)):
        changed = bytearray(text)
        changed[index // 8] ^= 1 << index % 8
        yield bytes(changed)


def refused(token, keys):
    try:
        verified(token, keys, 4096)
    except ValueError:
        return True
    return False


def test_every_single_changed_bit_of_a_token_refuses_it(secret, private):
    keys = Keyring((secret, private))
    for key in (secret, private):
        token = made(RAW, key).encode()
        assert not refused(token, keys)
        assert [changed for changed in flipped(token) if not refused(changed, keys)] == []


def test_every_single_changed_bit_below_the_text_form_refuses_it(secret, private):
    keys = Keyring((secret, private))
    for key in (secret, private):
        token = made(RAW, key).encode()
        inner = base64.urlsafe_b64decode(token + b"=" * (-len(token) % 4))
        changed = (base64.urlsafe_b64encode(text).rstrip(b"=") for text in flipped(inner))
        assert [text for text in changed if not refused(text, keys)] == []


def test_a_token_has_one_text_form(secret):
    keys, token = Keyring((secret,)), made({**RAW, claims.CTI: b"1"}, secret).encode()
    for other in (token + b"=", token + b"==", b" " + token, token + b"\n", token + b", " + token):
        assert refused(other, keys)


@given(st.data())
def test_a_token_that_is_cut_off_or_added_to_is_refused(secret, data):
    token = made(RAW, secret).encode()
    cut = token[: data.draw(st.integers(0, len(token) - 1))]
    longer = token + data.draw(st.text("AB_-9", min_size=1, max_size=8)).encode()
    assert refused(cut, Keyring((secret,)))
    assert refused(longer, Keyring((secret,)))


@given(st.binary(max_size=200))
def test_no_token_crashes_it(secret, token):
    assert refused(token, Keyring((secret,)))
    assert refused(base64.urlsafe_b64encode(token).rstrip(b"="), Keyring((secret,)))


def test_a_token_longer_than_the_limit_is_not_looked_at(secret):
    with pytest.raises(ValueError, match="longer than 64 bytes"):
        unwrapped(made(RAW, secret).encode(), 64)


def test_no_signed_token_is_as_short_as_a_name_in_a_path(secret):
    assert len(made({claims.EXP: 1}, secret)) > cat.STEP_LEAST


@given(st.binary(max_size=100), st.binary(max_size=100), st.dictionaries(st.just(b"cookie"), st.binary(max_size=80)))
def test_no_request_crashes_the_search(path, query, headers):
    found = find(path, query, headers)
    assert found is None or b"CAT" not in {part.partition(b"=")[0] for part in found.query.split(b"&")}
