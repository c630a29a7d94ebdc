"""The gate: who is let in, who is told what, and what is remembered."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control.kit.quantity import Bytes, Seconds
from oca.front.access import cat, claims, urlsign
from oca.front.access.cbor import Tag
from oca.front.access.keyring import Keyring, SecretKey
from oca.front.access.settings import AccessSettings
from oca.front.access.verify import CLIENT, EARLY, EXPIRED, METHOD, MISSING, PATH, Allowed, Denied, Gate

NOW = 1_800_000_000.0
OBJECT = b"/s/bunny/v720-1f/00001.m4s"
FIELD = b"cta-common-access-token"
RAW = {claims.EXP: int(NOW) + 3600, claims.CATU: {3: {1: "/s/bunny/"}}, claims.CATM: ["GET", "HEAD"]}
HOST = {b"host": b"edge:8311"}


@pytest.fixture
def gate(secret):
    def made(mode="either", **settings):
        return Gate(AccessSettings(mode=mode, **settings), Keyring((secret,)))

    return made


@pytest.fixture
def token(secret):
    def made(**extra):
        raw = {**RAW, **{int(number[1:]): value for number, value in extra.items()}}
        return cat.made(raw, secret).encode()

    return made


def asked(gate, token, *, path=OBJECT, client="192.0.2.1", method=b"GET", now=NOW):
    return gate.check(path, b"", {**HOST, FIELD: token}, client, method, now=now)


def signed(gate, query, *, path=OBJECT, now=NOW):
    return gate.check(path, query, HOST, "192.0.2.1", b"GET", now=now)


def test_an_open_gate_asks_for_nothing(gate):
    assert asked(gate("off"), b"whatever") == Allowed(OBJECT, b"")


def test_a_good_token_opens_its_urls_wherever_it_is_carried(gate, token):
    open_gate, text = gate(), token()
    for _ in range(2):  # the second time it is remembered
        assert asked(open_gate, text) == Allowed(OBJECT, b"")
        checks = [
            open_gate.check(OBJECT, b"a=1&CAT=" + text, HOST, "192.0.2.1", b"GET", now=NOW),
            open_gate.check(b"/" + text + OBJECT, b"a=1", HOST, "192.0.2.1", b"GET", now=NOW),
            open_gate.check(OBJECT, b"a=1", {**HOST, b"cookie": FIELD.title() + b"=x"}, "192.0.2.1", b"GET", now=NOW),
        ]
        assert checks[:2] == [Allowed(OBJECT, b"a=1"), Allowed(OBJECT, b"a=1")]
        assert checks[2] == MISSING
        cookie = {b"cookie": b"CTA-Common-Access-Token=" + text}
        assert open_gate.check(OBJECT, b"a=1", cookie, "192.0.2.1", b"GET", now=NOW) == Allowed(OBJECT, b"a=1")


def test_without_a_token_it_says_so(gate):
    for mode in ("url", "cat", "either"):
        assert signed(gate(mode), b"a=1") == MISSING


def test_each_mode_takes_its_own_form_only(gate, token, secret):
    query = urlsign.sign(OBJECT.decode(), expires=int(NOW) + 60, key=secret).encode()
    assert asked(gate("url"), token()) == MISSING
    assert signed(gate("cat"), query) == MISSING
    assert isinstance(signed(gate("url"), query), Allowed)
    assert isinstance(asked(gate("cat"), token()), Allowed)


def test_a_token_has_its_time_give_or_take_the_clocks(gate, token):
    timely = gate(clock_skew=Seconds(5))
    text = token(_5=int(NOW))
    moments = {NOW - 6: EARLY, NOW - 5: None, NOW + 3604: None, NOW + 3605: EXPIRED, NOW + 10**6: EXPIRED}
    for now, expected in moments.items():
        assert asked(timely, text, now=now) == (expected or Allowed(OBJECT, b"")), now


def test_a_token_is_for_its_paths_methods_and_clients_only(gate, token):
    strict = gate()
    text = token(_311=[Tag(52, (24, b"\xc0\x00\x02")), Tag(54, (32, b"\x20\x01\x0d\xb8"))])
    for _ in range(2):
        assert isinstance(asked(strict, text), Allowed)
        assert asked(strict, text, path=b"/s/bear/v720-1f/00001.m4s") == PATH
        assert asked(strict, text, method=b"POST") == METHOD
        assert asked(strict, text, method=b"get") == METHOD
        assert isinstance(asked(strict, text, client="::ffff:192.0.2.9"), Allowed)
        assert isinstance(asked(strict, text, client="2001:db8::1"), Allowed)
        assert asked(strict, text, client="198.51.100.1") == CLIENT
        assert asked(strict, text, client="nonsense") == CLIENT
        assert asked(strict, text, client="") == CLIENT


def test_a_token_without_limits_is_for_everything_until_its_end(gate, secret):
    text = cat.made({claims.EXP: int(NOW) + 60}, secret).encode()
    assert isinstance(asked(gate(), text, path=b"/s/any/thing/1.m4s", method=b"HEAD"), Allowed)


def test_host_scheme_and_query_count_where_a_token_says_so(gate, token):
    strict = gate()
    text = token(_312={0: {0: "https"}, 1: {0: "edge"}, 4: {0: "a=1"}})
    query = b"a=1&CAT=" + text
    assert strict.check(OBJECT, query, HOST, "", b"GET", now=NOW, scheme=b"https") == Allowed(OBJECT, b"a=1")
    assert strict.check(OBJECT, query, HOST, "", b"GET", now=NOW) == PATH
    assert strict.check(OBJECT, b"b=2&" + query, HOST, "", b"GET", now=NOW, scheme=b"https") == PATH
    assert strict.check(OBJECT, query, {b"host": b"x"}, "", b"GET", now=NOW, scheme=b"https") == PATH
    assert strict.check(OBJECT, query, {}, "", b"GET", now=NOW, scheme=b"https") == PATH


def test_issuers_and_audiences_are_those_configured(gate, token):
    assert isinstance(asked(gate(issuers=("us",)), token(_1="us")), Allowed)
    assert "issuer" in asked(gate(issuers=("us",)), token(_1="them")).detail
    assert "issuer" in asked(gate(issuers=("us",)), token()).detail
    assert isinstance(asked(gate(audiences=("oca",)), token(_3=["cdn", "oca"])), Allowed)
    assert isinstance(asked(gate(audiences=("oca",)), token()), Allowed)
    assert "others" in asked(gate(audiences=("oca",)), token(_3="cdn")).detail
    assert "others" in asked(gate(), token(_3="cdn")).detail


def test_a_refused_token_is_told_why_but_never_what_is_secret(gate, token, secret):
    strange = cat.made(RAW, SecretKey("other", b"z" * 32)).encode()
    wrong = {
        "not base64url": b"!!!",
        "key that is not known": strange,
        "signature does not hold": cat.made(RAW, SecretKey("k1", b"z" * 32)).encode(),
        "catreplay": token(_308=1),
        "cannot be checked": token(_316=["CH"]),
        "longer than": b"A" * 5000,
        "no exp": cat.made({claims.ISS: "x"}, secret).encode(),
    }
    for words, text in wrong.items():
        told = asked(gate(), text)
        assert isinstance(told, Denied)
        assert words in told.detail
        assert told.status == 403
        assert told.kind == "tag:oca,2026:token-refused"
        shown = f"{told!r} {gate()!r}"
        assert text.decode() not in shown
        assert "thirty-two" not in shown


def test_trusted_clients_need_no_token(gate, token):
    trusting = gate(trusted=("198.51.100.0/24",))
    assert trusting.check(OBJECT, b"", HOST, "198.51.100.7", b"GET", now=NOW) == Allowed(OBJECT, b"")
    assert trusting.check(OBJECT, b"", HOST, "::ffff:198.51.100.7", b"GET", now=NOW) == Allowed(OBJECT, b"")
    assert trusting.check(OBJECT, b"", HOST, "192.0.2.1", b"GET", now=NOW) == MISSING
    carried = b"/" + token() + OBJECT
    assert trusting.check(carried, b"", HOST, "198.51.100.7", b"GET", now=NOW) == Allowed(OBJECT, b"")


def test_a_signed_prefix_opens_what_lies_below_it_until_its_end(gate, secret):
    strict = gate(clock_skew=Seconds(0))
    query = urlsign.sign("/s/bunny/", expires=int(NOW) + 60, key=secret, prefix=True).encode()
    for text in (query, b"CMCD=su&" + query, query):
        assert signed(strict, text) == Allowed(OBJECT, text)
        assert signed(strict, text, path=b"/s/bunny2/v/1.m4s") == PATH
        assert signed(strict, text, now=NOW + 60) == EXPIRED


def test_a_signed_path_opens_that_path_only(gate, secret):
    query = urlsign.sign(OBJECT.decode(), expires=int(NOW) + 60, key=secret).encode()
    assert isinstance(signed(gate(), query), Allowed)
    assert signed(gate(), query, path=b"/s/bunny/v720-1f/00002.m4s").kind == "tag:oca,2026:signature-refused"
    assert signed(gate(), query, now=NOW + 100) == EXPIRED


@settings(max_examples=60)
@given(st.data())
def test_no_changed_bit_opens_anything(secret, data):
    strict = Gate(AccessSettings(mode="either"), Keyring((secret,)))
    text = cat.made(RAW, secret).encode()
    query = urlsign.sign("/s/bunny/", expires=int(NOW) + 60, key=secret, prefix=True).encode()
    assert isinstance(asked(strict, text), Allowed)
    assert isinstance(signed(strict, query), Allowed)
    for good, ask in ((text, asked), (query, signed)):
        changed = bytearray(good)
        index = data.draw(st.integers(0, 8 * len(good) - 1))
        changed[index // 8] ^= 1 << index % 8
        assert isinstance(ask(strict, bytes(changed)), Denied)


@given(
    st.binary(max_size=120),
    st.binary(max_size=120),
    st.dictionaries(st.sampled_from([FIELD, b"cookie", b"host"]), st.binary(max_size=120)),
)
def test_no_request_crashes_the_gate(secret, path, query, headers):
    strict = Gate(AccessSettings(mode="either"), Keyring((secret,)))
    assert isinstance(strict.check(path, query, headers, "192.0.2.1", b"GET", now=NOW), Denied)


def test_what_is_remembered_is_bounded_and_strangers_add_nothing(gate, secret):
    small = gate(cache_entries=2)
    for number in range(10):
        text = cat.made({**RAW, claims.CTI: b"%d" % number}, secret).encode()
        assert isinstance(asked(small, text), Allowed)
        asked(small, b"A" * 60 + b"%d" % number)
        query = urlsign.sign(f"/s/t{number}/", expires=int(NOW) + 60, key=secret, prefix=True).encode()
        assert isinstance(signed(small, query, path=b"/s/t%d/r/1.m4s" % number), Allowed)
    assert "tokens <Remembered 2 of 2>, signed URLs <Remembered 2 of 2>" in repr(small)
    quiet = gate()
    asked(quiet, b"A" * 60)
    signed(quiet, urlsign.sign(OBJECT.decode(), expires=int(NOW), key=secret).encode())
    assert "tokens <Remembered 0 of 4096>, signed URLs <Remembered 0 of 4096>" in repr(quiet)


def test_a_token_longer_than_configured_is_refused(gate, token):
    assert "longer than 64 bytes" in asked(gate(token_limit=Bytes(64)), token()).detail


def test_near_its_end_a_token_that_asks_for_it_is_renewed(gate, token, secret):
    renewing = gate()
    text = token(_6=int(NOW), _323={0: 0, 1: 7200, 2: 600})
    assert asked(renewing, text).fields == b""
    near = NOW + 3600 - 600
    line = asked(renewing, text, now=near).fields
    assert line.startswith(b"CTA-Common-Access-Token: ")
    renewed = line.removeprefix(b"CTA-Common-Access-Token: ").removesuffix(b"\r\n")
    told, _ = cat.verified(renewed, Keyring((secret,)), 4096)
    assert told.raw == {**RAW, claims.CATM: ("GET", "HEAD"), 323: {0: 0, 1: 7200, 2: 600}, 4: near + 7200, 6: near}
    assert isinstance(asked(renewing, renewed, now=near + 7000), Allowed)
    assert asked(renewing, text, now=near + 9).fields == line
    assert asked(renewing, text, now=near + 11).fields != line


def test_renewal_follows_the_way_the_token_came(gate, token):
    renewing, text, near = gate(), token(_323={0: 0, 1: 7200}), NOW + 3590
    in_cookie = {b"cookie": b"CTA-Common-Access-Token=" + text}
    assert renewing.check(OBJECT, b"", in_cookie, "", b"GET", now=near).fields.startswith(b"Set-Cookie: ")
    assert asked(renewing, text, now=near).fields.startswith(b"CTA-")
    assert renewing.check(OBJECT, b"CAT=" + text, HOST, "", b"GET", now=near).fields == b""


def test_an_appliance_that_cannot_sign_leaves_renewal_to_the_issuer(private):
    near = NOW + 3590
    text = cat.made({**RAW, claims.CATR: {0: 0, 1: 7200}}, private).encode()
    allowed = asked(Gate(AccessSettings(mode="cat"), Keyring((private,))), text, now=near)
    assert allowed == Allowed(OBJECT, b"")


def test_keys_rotate_by_name(secret):
    new = SecretKey("k2", b"n" * 32)
    both, after = (Gate(AccessSettings(mode="cat"), Keyring(keys)) for keys in ((secret, new), (new,)))
    old_token, new_token = (cat.made(RAW, key).encode() for key in (secret, new))
    assert isinstance(asked(both, old_token), Allowed)
    assert isinstance(asked(both, new_token), Allowed)
    assert isinstance(asked(after, new_token), Allowed)
    assert isinstance(asked(after, old_token), Denied)
