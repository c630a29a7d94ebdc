"""COSE_Sign1 and COSE_Mac0 (RFC 9052) as CBOR web tokens use them: one payload, one key. Pure.

ES256 signs, HS256 authenticates; the algorithm is in the protected header and must fit the structure, so
that no key is ever used for another algorithm than its own. What the unprotected header says is not signed,
so nothing but the key's name is taken from it.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from oca.front.access import cbor
from oca.front.access.cbor import CborError, Tag
from oca.front.access.keyring import Key, Keyring, Signer
from oca.front.access.settings import Algorithm

TAG_CWT: Final = 61
"""RFC 8392, section 6."""
TAG_MAC0: Final = 17
TAG_SIGN1: Final = 18
ALG: Final = 1
CRIT: Final = 2
KID: Final = 4
"""Header labels (RFC 9052, 3.1)."""

_ALGORITHMS: Final[dict[int, Algorithm]] = {5: "HS256", -7: "ES256"}
_NUMBERS: Final = {name: number for number, name in _ALGORITHMS.items()}
_TAGS: Final[dict[Algorithm, int]] = {"HS256": TAG_MAC0, "ES256": TAG_SIGN1}
_CONTEXTS: Final[dict[Algorithm, str]] = {"HS256": "MAC0", "ES256": "Signature1"}


class CoseError(ValueError):
    """A message that is not in the form read here, or not to be trusted. The text is fit for strangers."""


class Envelope(msgspec.Struct, frozen=True):
    """A message taken apart; nothing in it is verified."""

    algorithm: Algorithm
    kid: str | None
    protected: bytes
    payload: bytes
    signature: bytes

    @property
    def message(self) -> bytes:
        """What is signed: Sig_structure or MAC_structure (RFC 9052, 4.4 and 6.3)."""
        return cbor.encode((_CONTEXTS[self.algorithm], self.protected, b"", self.payload))


def opened(text: bytes) -> Envelope:
    """The message in `text`, with or without the tags that say what it is. Raises CoseError."""
    try:
        value = cbor.decode(text)
        tag = None
        if isinstance(value, Tag) and value.number == TAG_CWT:
            value = value.value
            if not isinstance(value, Tag):
                raise CoseError("a CWT tag without a COSE tag below it")  # RFC 8392, section 6
        if isinstance(value, Tag):
            tag, value = value.number, value.value
        return _envelope(tag, value)
    except CborError as error:
        raise CoseError(f"not CBOR: {error}") from error


def payload_of(envelope: Envelope, keys: Keyring) -> tuple[bytes, Key]:
    """The payload, once the signature held, and the key it held with. Raises CoseError."""
    kid, algorithm = envelope.kid, envelope.algorithm
    key = keys.only(algorithm) if kid is None else keys.get(kid, algorithm)
    if key is None:
        raise CoseError("signed with a key that is not known here")
    if not key.verifies(envelope.message, envelope.signature):
        raise CoseError("the signature does not hold")
    return envelope.payload, key


def sealed(payload: bytes, key: Signer) -> bytes:
    """`payload` signed with `key`, tagged as a CWT; algorithm and key's name are protected."""
    protected = cbor.encode({ALG: _NUMBERS[key.algorithm], KID: key.kid.encode()})
    envelope = Envelope(key.algorithm, key.kid, protected, payload, b"")
    parts: tuple[Any, ...] = (protected, {}, payload, key.sign(envelope.message))
    return cbor.encode(Tag(TAG_CWT, Tag(_TAGS[key.algorithm], parts)))


def _envelope(tag: int | None, value: Any) -> Envelope:
    if not isinstance(value, tuple) or len(value) != 4:
        raise CoseError("not a COSE message of four parts")
    protected, unprotected, payload, signature = value
    if not (isinstance(protected, bytes) and isinstance(payload, bytes) and isinstance(signature, bytes)):
        raise CoseError("not a COSE message: a part is of the wrong kind")
    header = cbor.decode(protected) if protected else {}
    if not isinstance(header, dict) or not isinstance(unprotected, dict):
        raise CoseError("not a COSE message: a header is no map")
    if CRIT in header or ALG in unprotected or header.keys() & unprotected.keys():
        raise CoseError("a header that must be understood and is not")
    algorithm = _ALGORITHMS.get(header[ALG]) if isinstance(header.get(ALG), int) else None
    if algorithm is None:
        raise CoseError("an algorithm other than ES256 or HS256")
    if tag is not None and tag != _TAGS[algorithm]:
        raise CoseError("an algorithm that does not fit the kind of message")
    return Envelope(algorithm, _kid(header.get(KID, unprotected.get(KID))), protected, payload, signature)


def _kid(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, bytes):
        raise CoseError("a key's name that is not a byte string")
    return value.decode("latin-1")
