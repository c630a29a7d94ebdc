"""Keys by name: HMAC-SHA256 secrets, P-256 public keys, and P-256 private keys for those who sign.

`load` reads the files of the settings; everything else is pure. Secrets are never shown, not by repr either.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from control.kit.errors import ConfigError
from oca.front.access import network
from oca.front.access.settings import AccessSettings, Algorithm, KeySettings

SECRET_LEAST_BYTES: Final = 32
"""Shorter ones are weaker than the hash (RFC 2104, section 3)."""
FILE_LIMIT_BYTES: Final = 64 * 1024
COORDINATE_BYTES: Final = 32
"""Bytes of r and of s in a P-256 signature (RFC 9053, 2.1)."""


class Key(Protocol):
    """What can tell whether a signature is its own."""

    kid: str
    algorithm: Algorithm

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's over `message`. Never raises for what a stranger wrote."""


class Signer(Key, Protocol):
    """A key that can also sign."""

    def sign(self, message: bytes) -> bytes:
        """The signature over `message`."""


class SecretKey:
    """HMAC-SHA256 (RFC 2104; COSE algorithm 5)."""

    algorithm: Algorithm = "HS256"

    def __init__(self, kid: str, secret: bytes) -> None:
        self.kid = kid
        self._keyed = hmac.new(secret, digestmod="sha256")

    def __repr__(self) -> str:
        return f"<SecretKey {self.kid}>"

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Compares in constant time."""
        return hmac.compare_digest(self.sign(message), signature)

    def sign(self, message: bytes) -> bytes:
        """32 bytes."""
        keyed = self._keyed.copy()
        keyed.update(message)
        return keyed.digest()


class PublicKey:
    """ECDSA over P-256 with SHA-256 (RFC 9053, 2.1; COSE algorithm -7)."""

    algorithm: Algorithm = "ES256"

    def __init__(self, kid: str, pem: bytes) -> None:
        """Raises ValueError when `pem` is not a P-256 public key."""
        self.kid = kid
        self._verify = _p256_verifier(pem)

    def __repr__(self) -> str:
        return f"<PublicKey {self.kid}>"

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """`signature` is r and s, 32 bytes each."""
        return len(signature) == 2 * COORDINATE_BYTES and self._verify(message, signature)


class PrivateKey:
    """A P-256 key that signs: for whoever issues tokens, not for appliances."""

    algorithm: Algorithm = "ES256"

    def __init__(self, kid: str, pem: bytes) -> None:
        """Raises ValueError when `pem` is not an unencrypted P-256 private key."""
        self.kid = kid
        self._sign, public = _p256_signer(pem)
        self._public = PublicKey(kid, public)

    def __repr__(self) -> str:
        return f"<PrivateKey {self.kid}>"

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """As the public half does."""
        return self._public.verifies(message, signature)

    def sign(self, message: bytes) -> bytes:
        """32 bytes of r, then 32 of s."""
        return self._sign(message)


class Keyring:
    """Keys by name."""

    def __init__(self, keys: tuple[Key, ...]) -> None:
        self._keys = {key.kid: key for key in keys}

    def __repr__(self) -> str:
        return f"<Keyring {', '.join(self._keys) or 'empty'}>"

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, kid: str, algorithm: Algorithm) -> Key | None:
        """The key of this name when it is for this algorithm: a public key must never be taken for a secret."""
        key = self._keys.get(kid)
        return key if key is not None and key.algorithm == algorithm else None

    def only(self, algorithm: Algorithm) -> Key | None:
        """The key for `algorithm` when there is just one: for tokens that name no key."""
        fitting = [key for key in self._keys.values() if key.algorithm == algorithm]
        return fitting[0] if len(fitting) == 1 else None


def load(settings: AccessSettings) -> Keyring:
    """The keys of `settings`. Raises ConfigError naming the first setting that cannot be used."""
    for index, prefix in enumerate(settings.trusted):
        try:
            network.network(prefix)
        except ValueError as error:
            raise ConfigError(f"access.trusted[{index}]: {error}; give a prefix such as 192.0.2.0/24") from error
    kids = [key.kid for key in settings.keys]
    for kid in kids:
        if kids.count(kid) > 1:
            raise ConfigError(f"access.keys: {kid!r} is given to two keys; each needs its own name")
    if settings.mode != "off" and not settings.keys:
        raise ConfigError(f"access.keys: mode {settings.mode} needs a key; without one nobody would be let in")
    if settings.mode == "url" and all(key.algorithm != "HS256" for key in settings.keys):
        raise ConfigError("access.keys: signed URLs need a key with algorithm HS256")
    return Keyring(tuple(_key(key) for key in settings.keys))


def secret_of(content: bytes) -> bytes:
    """The secret in a secret file: after `hex:` or `base64:` decoded, else its bytes without a line's end.

    Raises ValueError when it is too short or not what its prefix says.
    """
    text = content.strip(b"\r\n")
    if text.startswith(b"hex:"):
        secret = binascii.unhexlify(text[4:].strip())
    elif text.startswith(b"base64:"):
        secret = base64.b64decode(text[7:].strip(), validate=True)
    else:
        secret = text
    if len(secret) < SECRET_LEAST_BYTES:
        raise ValueError(f"{len(secret)} bytes are too few; give at least {SECRET_LEAST_BYTES}")
    return secret


def _key(settings: KeySettings) -> Key:
    secret = settings.algorithm == "HS256"
    path, other = settings.secret_file, settings.public_key_file
    if not secret:
        path, other = other, path
    needed = "secret_file" if secret else "public_key_file"
    if path is None or other is not None:
        raise ConfigError(f"access.keys: {settings.kid}: {settings.algorithm} needs {needed} and only that")
    content = read(path)
    try:
        return SecretKey(settings.kid, secret_of(content)) if secret else PublicKey(settings.kid, content)
    except ValueError as error:
        raise ConfigError(f"{path}: not usable as key {settings.kid}: {error}") from error


def read(path: Path) -> bytes:
    """The bytes of a key file. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            content = file.read(FILE_LIMIT_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: the key cannot be read: {error.strerror}") from error
    if len(content) > FILE_LIMIT_BYTES:
        raise ConfigError(f"{path}: larger than {FILE_LIMIT_BYTES} bytes; is it a key?")
    return content


def _p256_verifier(pem: bytes) -> Callable[[bytes, bytes], bool]:
    # Imported here: a front worker without such a key should not carry the library.
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, utils  # noqa: PLC0415

    try:
        public = serialization.load_pem_public_key(pem)
    except UnsupportedAlgorithm as error:
        raise ValueError(f"unknown kind of key: {error}") from error
    if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(public.curve, ec.SECP256R1):
        raise ValueError("not a P-256 public key")
    scheme = ec.ECDSA(hashes.SHA256())

    def verify(message: bytes, signature: bytes) -> bool:
        r, s = (int.from_bytes(half, "big") for half in (signature[:COORDINATE_BYTES], signature[COORDINATE_BYTES:]))
        try:
            public.verify(utils.encode_dss_signature(r, s), message, scheme)
        except InvalidSignature:
            return False
        return True

    return verify


def _p256_signer(pem: bytes) -> tuple[Callable[[bytes], bytes], bytes]:
    """What signs, and the public key in PEM."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, utils  # noqa: PLC0415

    try:
        private = serialization.load_pem_private_key(pem, password=None)
    except (UnsupportedAlgorithm, TypeError) as error:
        raise ValueError(f"unknown kind of key, or encrypted: {error}") from error
    if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
        raise ValueError("not a P-256 private key")
    scheme = ec.ECDSA(hashes.SHA256())

    def sign(message: bytes) -> bytes:
        r, s = utils.decode_dss_signature(private.sign(message, scheme))
        return r.to_bytes(COORDINATE_BYTES, "big") + s.to_bytes(COORDINATE_BYTES, "big")

    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return sign, public
