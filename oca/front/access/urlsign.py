"""Signed URLs: `?exp=…&kid=…&sig=…` over a path, or over all paths below `pfx=…`. HMAC-SHA256. Pure.

What is signed is a text of lines that no other use of the key begins with, so that a signature for one path
is never one for a prefix, nor a token's. The end is Unix seconds in decimal, the signature base64url.
"""

from __future__ import annotations

import base64
import re
from typing import Final

import msgspec

from oca.front.access.keyring import Key, Keyring, Signer

CONTEXT: Final = b"oca-signed-url-1"

_END = re.compile(rb"[1-9][0-9]{0,11}")
_KID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_PREFIX = re.compile(rb"/(?:[A-Za-z0-9._~-]+/)*")
_SIGNATURE = re.compile(rb"[A-Za-z0-9_-]{43}")
_NAMES: Final = frozenset((b"exp=", b"kid=", b"sig=", b"pfx="))


class SignedError(ValueError):
    """A signature that is not in this form or does not hold. The text is fit for strangers."""


class Signed(msgspec.Struct, frozen=True):
    """What a URL's query says of its signature."""

    exp: bytes
    kid: bytes
    sig: bytes
    pfx: bytes | None

    @property
    def expires(self) -> float:
        """Unix seconds from which on it is no longer good."""
        return float(self.exp)

    @property
    def written(self) -> bytes:
        """The query as `sign` writes it."""
        prefix = b"" if self.pfx is None else b"pfx=%b&" % self.pfx
        return b"%bexp=%b&kid=%b&sig=%b" % (prefix, self.exp, self.kid, self.sig)


def find(query: bytes) -> Signed | None:
    """The signature in `query`; None without one. Raises SignedError for one that could be read in two ways.

    >>> find(b"a=1&exp=1700000000&kid=k&sig=" + b"A" * 43).kid
    b'k'
    """
    if b"sig=" not in query:
        return None
    found: dict[bytes, bytes] = {}
    for part in query.split(b"&"):
        name = part[:4]
        if name in _NAMES:
            if name in found:
                raise SignedError(f"{name.decode()} is given twice")
            found[name] = part[4:]
    get = found.get
    sig = get(b"sig=")
    return None if sig is None else Signed(get(b"exp=", b""), get(b"kid=", b""), sig, get(b"pfx="))


def check(signed: Signed, path: bytes, keys: Keyring) -> None:
    """Return when `signed` holds for `path` at some time. Raises SignedError."""
    if not _END.fullmatch(signed.exp) or not _KID.fullmatch(signed.kid):
        raise SignedError("exp or kid is missing or malformed")
    if signed.pfx is not None and not _PREFIX.fullmatch(signed.pfx):
        raise SignedError("pfx is not a path that begins and ends with a slash")
    key = keys.get(signed.kid.decode(), "HS256")
    if key is None:
        raise SignedError("signed with a key that is not known here")
    if not holds(signed, path, key):
        raise SignedError("the signature does not hold")


def holds(signed: Signed, path: bytes, key: Key) -> bool:
    """Whether `key` made the signature, whatever it says of time."""
    if not _SIGNATURE.fullmatch(signed.sig):
        return False
    signature = base64.urlsafe_b64decode(signed.sig + b"=")
    # Decoding drops two spare bits; a signature has one form only.
    return _encoded(signature) == signed.sig and key.verifies(_message(signed, path), signature)


def sign(path: str, *, expires: int, key: Signer, prefix: bool = False) -> str:
    """The query that opens `path`, or with `prefix` all paths below it. Raises SignedError for no such path."""
    pfx = path.encode() if prefix else None
    if pfx is not None and not _PREFIX.fullmatch(pfx):
        raise SignedError("a prefix begins and ends with a slash")
    unsigned = Signed(b"%d" % expires, key.kid.encode(), b"", pfx)
    if not _END.fullmatch(unsigned.exp) or not _KID.fullmatch(unsigned.kid) or not path.startswith("/"):
        raise SignedError("a path begins with a slash, an end is Unix seconds, a key has a name")
    signature = _encoded(key.sign(_message(unsigned, path.encode())))
    return Signed(unsigned.exp, unsigned.kid, signature, pfx).written.decode()


def _message(signed: Signed, path: bytes) -> bytes:
    kind, text = (b"path", path) if signed.pfx is None else (b"prefix", signed.pfx)
    return b"\n".join((CONTEXT, signed.exp, signed.kid, kind, text))


def _encoded(signature: bytes) -> bytes:
    return base64.urlsafe_b64encode(signature).rstrip(b"=")
