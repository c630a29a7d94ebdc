"""Keys: what they sign, what they refuse, and configurations that cannot be used."""

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from control.kit.errors import ConfigError
from oca.front.access.keyring import Keyring, PrivateKey, PublicKey, SecretKey, load, secret_of
from oca.front.access.settings import AccessSettings, KeySettings


@given(st.binary(max_size=100))
def test_a_secret_signs_as_hmac_sha256_does(message):
    key = SecretKey("k", b"s" * 32)
    assert key.sign(message) == hmac.new(b"s" * 32, message, hashlib.sha256).digest()
    assert key.verifies(message, key.sign(message))
    assert not key.verifies(message, key.sign(message)[:-1])
    assert not key.verifies(message + b"x", key.sign(message))


def test_a_public_key_verifies_what_its_private_half_signed(pem_pair):
    private, public = PrivateKey("e", pem_pair[0]), PublicKey("e", pem_pair[1])
    signature = private.sign(b"message")
    assert len(signature) == 64
    assert public.verifies(b"message", signature)
    assert private.verifies(b"message", signature)
    assert not public.verifies(b"other", signature)


@given(st.binary(max_size=80))
def test_no_signature_crashes_a_public_key(pem_pair, signature):
    assert not PublicKey("e", pem_pair[1]).verifies(b"message", signature)


def test_keys_of_other_kinds_are_refused(pem_pair):
    other = ed25519.Ed25519PrivateKey.generate()
    larger = ec.generate_private_key(ec.SECP384R1())
    for key in (other, larger):
        with pytest.raises(ValueError, match="P-256"):
            PublicKey("e", key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        with pytest.raises(ValueError, match="P-256"):
            PrivateKey("e", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(ValueError, match="PEM"):
        PublicKey("e", b"no key at all")


def test_a_key_is_found_only_for_its_own_algorithm(secret, private):
    keys = Keyring((secret, private))
    assert keys.get("k1", "HS256") is secret
    assert keys.get("k1", "ES256") is None
    assert keys.get("other", "HS256") is None
    assert keys.only("ES256") is private
    assert Keyring((secret, SecretKey("k2", b"t" * 32))).only("HS256") is None


def test_neither_key_nor_ring_shows_a_secret(secret):
    assert "thirty" not in repr(secret) + repr(Keyring((secret,)))


def test_a_secret_file_is_plain_or_says_how_it_is_written():
    assert secret_of(b"x" * 32 + b"\n") == b"x" * 32
    assert secret_of(b"hex:" + b"ab" * 32 + b"\n") == bytes.fromhex("ab" * 32)
    assert secret_of(b"base64:" + b"QUFB" * 11) == b"A" * 33
    for short in (b"x" * 31, b"hex:" + b"ab" * 16, b"base64:!!", b"hex:zz", b""):
        with pytest.raises(ValueError, match=r"\w"):
            secret_of(short)


def test_keys_are_loaded_from_their_files(tmp_path, pem_pair):
    (tmp_path / "secret").write_bytes(b"s" * 40)
    (tmp_path / "public.pem").write_bytes(pem_pair[1])
    keys = (
        KeySettings(kid="a", secret_file=tmp_path / "secret"),
        KeySettings(kid="b", algorithm="ES256", public_key_file=tmp_path / "public.pem"),
    )
    ring = load(AccessSettings(mode="either", keys=keys))
    assert len(ring) == 2
    assert ring.get("a", "HS256")
    assert ring.get("b", "ES256")


def test_a_configuration_that_lets_nobody_in_or_fits_nowhere_says_so(tmp_path, pem_pair):
    (tmp_path / "secret").write_bytes(b"s" * 40)
    (tmp_path / "short").write_bytes(b"s")
    (tmp_path / "public.pem").write_bytes(pem_pair[1])
    good = KeySettings(kid="a", secret_file=tmp_path / "secret")
    public = KeySettings(kid="e", algorithm="ES256", public_key_file=tmp_path / "public.pem")
    wrong = {
        "needs a key": AccessSettings(mode="cat"),
        "given to two keys": AccessSettings(mode="cat", keys=(good, good)),
        "signed URLs need a key": AccessSettings(mode="url", keys=(public,)),
        "needs secret_file": AccessSettings(mode="cat", keys=(KeySettings(kid="a"),)),
        "needs public_key_file": AccessSettings(
            mode="cat", keys=(KeySettings(kid="a", algorithm="ES256", secret_file=tmp_path / "secret"),)
        ),
        "cannot be read": AccessSettings(mode="cat", keys=(KeySettings(kid="a", secret_file=tmp_path / "none"),)),
        "too few": AccessSettings(mode="cat", keys=(KeySettings(kid="a", secret_file=tmp_path / "short"),)),
        "not usable as key": AccessSettings(
            mode="cat", keys=(KeySettings(kid="a", algorithm="ES256", public_key_file=tmp_path / "secret"),)
        ),
        r"access.trusted\[1\]": AccessSettings(mode="cat", keys=(good,), trusted=("10.0.0.0/8", "10.0.0.1/8")),
    }
    for words, settings in wrong.items():
        with pytest.raises(ConfigError, match=words):
            load(settings)
    assert len(load(AccessSettings())) == 0
