"""Signed URLs: round trips, every single changed bit, and forms that are not ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.front.access import urlsign
from oca.front.access.keyring import Keyring, SecretKey
from oca.front.access.urlsign import SignedError, check, find, sign

PATH = "/s/bunny/v720-1f/00001.m4s"
END = 1_800_000_000


def refused(query, path, keys):
    try:
        signed = find(query)
        if signed is None:
            return True
        check(signed, path, keys)
    except SignedError:
        return True
    return False


@given(st.integers(1, 10**12 - 1), st.text("abcXYZ019._-", min_size=1, max_size=64), st.booleans())
def test_a_query_that_is_signed_holds_for_its_path(end, kid, prefix):
    key = SecretKey(kid, b"s" * 32)
    query = sign("/s/bunny/" if prefix else PATH, expires=end, key=key, prefix=prefix)
    found = find(query.encode())
    check(found, PATH.encode(), Keyring((key,)))
    assert found.expires == end
    assert found.written.decode() == query


def test_other_parameters_may_stand_around_it(secret):
    query = sign(PATH, expires=END, key=secret).encode()
    check(find(b"CMCD=su&" + query + b"&x=sig"), PATH.encode(), Keyring((secret,)))


@pytest.mark.parametrize("prefix", [False, True])
def test_every_single_changed_bit_refuses_it(secret, prefix):
    keys = Keyring((secret,))
    query = sign("/s/bunny/" if prefix else PATH, expires=END, key=secret, prefix=prefix).encode()
    assert not refused(query, PATH.encode(), keys)
    for index in range(8 * len(query)):
        changed = bytearray(query)
        changed[index // 8] ^= 1 << index % 8
        assert refused(bytes(changed), PATH.encode(), keys), bytes(changed)


def test_a_signature_for_one_path_is_for_no_other_and_for_no_prefix(secret):
    keys = Keyring((secret,))
    query = sign("/s/bunny/", expires=END, key=secret).encode()
    assert not refused(query, b"/s/bunny/", keys)
    assert refused(query, PATH.encode(), keys)
    assert refused(b"pfx=/s/bunny/&" + query, PATH.encode(), keys)
    prefixed = sign("/s/bunny/", expires=END, key=secret, prefix=True).encode()
    assert refused(prefixed.partition(b"&")[2], b"/s/bunny/", keys)


def test_another_key_or_another_keys_name_does_not_hold(secret):
    query = sign(PATH, expires=END, key=secret).encode()
    assert refused(query, PATH.encode(), Keyring((SecretKey("k1", b"z" * 32),)))
    assert refused(query, PATH.encode(), Keyring((SecretKey("k2", b"z" * 32),)))
    rotated = Keyring((secret, SecretKey("k2", b"z" * 32)))
    assert not refused(query, PATH.encode(), rotated)


def test_a_public_key_is_never_taken_for_a_secret(private):
    with pytest.raises(SignedError, match="not known"):
        check(urlsign.Signed(b"1800000000", b"e1", b"A" * 43, None), PATH.encode(), Keyring((private,)))


@pytest.mark.parametrize(
    "query",
    [
        b"exp=1&exp=2&kid=k1&sig=" + b"A" * 43,
        b"sig=a&sig=b",
        b"kid=k1&sig=" + b"A" * 43,
        b"exp=1800000000&sig=" + b"A" * 43,
        b"exp=01800000000&kid=k1&sig=" + b"A" * 43,
        b"exp=-1&kid=k1&sig=" + b"A" * 43,
        b"exp=1e9&kid=k1&sig=" + b"A" * 43,
        b"exp=1800000000&kid=k%31&sig=" + b"A" * 43,
        b"exp=1800000000&kid=k1&sig=",
        b"exp=1800000000&kid=k1&sig=" + b"A" * 44,
        b"pfx=/s/bunny&exp=1800000000&kid=k1&sig=" + b"A" * 43,
        b"pfx=%2Fs%2F&exp=1800000000&kid=k1&sig=" + b"A" * 43,
        b"pfx=&exp=1800000000&kid=k1&sig=" + b"A" * 43,
        b"pfx=//&exp=1800000000&kid=k1&sig=" + b"A" * 43,
    ],
)
def test_a_form_that_is_not_ours_is_refused(secret, query):
    assert refused(query, PATH.encode(), Keyring((secret,)))


def test_a_query_without_a_signature_has_none():
    assert find(b"") is None
    assert find(b"a=1&exp=5") is None
    assert find(b"xsig=5") is None


@pytest.mark.parametrize(("path", "end", "prefix"), [("s/a", 5, False), ("/s/a", 0, False), ("/s/a", 5, True)])
def test_what_cannot_hold_is_not_signed(secret, path, end, prefix):
    with pytest.raises(SignedError):
        sign(path, expires=end, key=secret, prefix=prefix)


@given(st.binary(max_size=200), st.binary(max_size=50))
def test_no_query_crashes_it(secret, query, path):
    assert refused(b"sig=" + query, path, Keyring((secret,)))
    assert refused(query, path, Keyring((secret,)))
