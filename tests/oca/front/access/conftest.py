"""Keys to sign with."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from oca.front.access.keyring import PrivateKey, SecretKey


@pytest.fixture(scope="session")
def secret():
    return SecretKey("k1", b"a secret of thirty-two bytes, yes")


@pytest.fixture(scope="session")
def pem_pair():
    """A P-256 key, private and public, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture(scope="session")
def private(pem_pair):
    return PrivateKey("e1", pem_pair[0])
