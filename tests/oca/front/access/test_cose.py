"""COSE: the signed CWT of RFC 8392, Appendix A.3, round trips, and envelopes that must not be opened."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.front.access import cbor, cose
from oca.front.access.cbor import Tag
from oca.front.access.cose import CoseError
from oca.front.access.keyring import Keyring, PublicKey, SecretKey

SIGNED_CWT = bytes.fromhex(
    "d28443a10126a104524173796d6d657472696345434453413235365850a701756"
    "36f61703a2f2f61732e6578616d706c652e636f6d02656572696b77037818636f"
    "61703a2f2f6c696768742e6578616d706c652e636f6d041a5612aeb0051a5610d"
    "9f0061a5610d9f007420b7158405427c1ff28d23fbad1f29c4c7c6a555e601d6f"
    "a29f9179bc3d7438bacaca5acd08c8d4d4f96131680c429a01f85951ecee743a5"
    "2b9b63632c57209120e1c9e30"
)
POINT = bytes.fromhex(
    "04143329cce7868e416927599cf65a34f3ce2ffda55a7eca69ed8919a394d42f0f"
    "60f7f1a780d8a783bfb7a2dd6b2796e8128dbbcef9d3d168db9529971a36e7b9"
)
SPKI_HEAD = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")


def pem():
    body = base64.encodebytes(SPKI_HEAD + POINT)
    return b"-----BEGIN PUBLIC KEY-----\n" + body + b"-----END PUBLIC KEY-----\n"


def test_the_example_of_the_standard_verifies():
    keys = Keyring((PublicKey("AsymmetricECDSA256", pem()),))
    payload, _ = cose.payload_of(cose.opened(SIGNED_CWT), keys)
    assert cbor.decode(payload)[1] == "coap://as.example.com"


@given(st.binary(max_size=100))
def test_what_is_sealed_is_opened_with_either_kind_of_key(secret, private, payload):
    for key in (secret, private):
        opened, found = cose.payload_of(cose.opened(cose.sealed(payload, key)), Keyring((secret, private)))
        assert opened == payload
        assert found is key


def test_a_key_that_is_unknown_or_another_of_that_name_opens_nothing(secret):
    text = cose.sealed(b"payload", secret)
    for keys in (Keyring(()), Keyring((SecretKey("k1", b"z" * 32),)), Keyring((SecretKey("k2", b"z" * 32),))):
        with pytest.raises(CoseError):
            cose.payload_of(cose.opened(text), keys)


def forged(secret, *, header, unprotected=None, tag=cose.TAG_MAC0, payload=b"p"):
    protected = cbor.encode(header)
    signature = secret.sign(cbor.encode(("MAC0", protected, b"", payload)))
    message = (protected, unprotected or {}, payload, signature)
    return cbor.encode(message if tag is None else Tag(tag, message))


def test_a_token_that_names_no_key_is_tried_with_the_only_one(secret):
    text = forged(secret, header={1: 5})
    assert cose.payload_of(cose.opened(text), Keyring((secret,)))[0] == b"p"
    with pytest.raises(CoseError, match="not known"):
        cose.payload_of(cose.opened(text), Keyring((secret, SecretKey("k2", b"z" * 32))))


@pytest.mark.parametrize("tag", [None, cose.TAG_MAC0])
def test_tags_may_be_left_out(secret, tag):
    text = forged(secret, header={1: 5, 4: b"k1"}, tag=tag)
    assert cose.payload_of(cose.opened(text), Keyring((secret,)))[0] == b"p"


def test_what_could_confuse_algorithms_or_headers_is_not_opened(secret):
    wrong = {
        "a MAC that calls itself a signature": forged(secret, header={1: 5}, tag=cose.TAG_SIGN1),
        "no algorithm": forged(secret, header={4: b"k1"}),
        "another algorithm": forged(secret, header={1: 4}),
        "the algorithm unprotected": forged(secret, header={}, unprotected={1: 5}),
        "the algorithm in both": forged(secret, header={1: 5}, unprotected={1: 5}),
        "something critical": forged(secret, header={1: 5, 2: (99,), 99: 1}),
        "the name in both": forged(secret, header={1: 5, 4: b"k1"}, unprotected={4: b"k2"}),
        "a name that is text": forged(secret, header={1: 5, 4: "k1"}),
        "a foreign tag": forged(secret, header={1: 5}, tag=16),
        "a CWT tag alone": cbor.encode(Tag(61, cbor.decode(forged(secret, header={1: 5}, tag=None)))),
        "a header that is a list": cbor.encode((cbor.encode((1, 5)), {}, b"p", b"s")),
        "a header that is not CBOR": cbor.encode((b"\xff", {}, b"p", b"s")),
        "three parts": cbor.encode((b"", {}, b"p")),
        "a detached payload": cbor.encode((cbor.encode({1: 5}), {}, None, b"s")),
        "no CBOR": b"\xff",
        "nothing": b"",
    }
    for name, text in wrong.items():
        with pytest.raises(CoseError):
            pytest.fail(f"{name}: {cose.opened(text)}")


@given(st.binary(max_size=200))
def test_no_bytes_crash_it(text):
    try:
        cose.opened(text)
    except CoseError:
        return
