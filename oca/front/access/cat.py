"""Common Access Tokens (CTA-5007-B): where a request carries one, what is in it, and how one is made. Pure.

A token is a CWT (RFC 8392) in base64url without padding: in the field CTA-Common-Access-Token, the query
parameter CAT, a cookie, or as the first step of the path, which relative URLs in playlists then keep.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from oca.front.access import cbor, claims, cose
from oca.front.access.claims import Claims
from oca.front.access.cose import CoseError
from oca.front.access.keyring import Key, Keyring, Signer
from oca.front.access.renewal import FIELD, Carrier

HEADER: Final = FIELD.lower().encode()
PARAMETER: Final = b"CAT"
COOKIE: Final = FIELD.encode()
STEP_LEAST: Final = 48
"""Characters a first step of the path must have to be taken for a token: no signed token is shorter."""

_ALPHABET = re.compile(rb"[A-Za-z0-9_-]+")


class Carried(msgspec.Struct, frozen=True):
    """A token as it came, and the request's path and query without it."""

    token: bytes
    carrier: Carrier
    path: bytes
    query: bytes


def find(path: bytes, query: bytes, headers: Mapping[bytes, bytes]) -> Carried | None:
    """The token of a request; None without one. Of several places the first counts: field, query, cookie, path."""
    bare_path, in_path = _first_step(path)
    in_field = headers.get(HEADER)
    if in_field is not None:
        return Carried(in_field, "header", bare_path, query)
    if PARAMETER in query:
        bare_query, in_query = _parameter(query)
        if in_query is not None:
            return Carried(in_query, "query", bare_path, bare_query)
    cookies = headers.get(b"cookie")
    if cookies is not None and COOKIE in cookies:
        in_cookie = _cookie(cookies)
        if in_cookie is not None:
            return Carried(in_cookie, "cookie", bare_path, query)
    return Carried(in_path, "path", bare_path, query) if in_path is not None else None


def verified(token: bytes, keys: Keyring, limit: int) -> tuple[Claims, Key]:
    """The claims of `token` and the key it is signed with. Raises ValueError, its text fit for strangers."""
    payload, key = cose.payload_of(unwrapped(token, limit), keys)
    return claims.read(payload), key


def unwrapped(token: bytes, limit: int) -> cose.Envelope:
    """The message in `token`, not verified. Raises CoseError."""
    if len(token) > limit:
        raise CoseError(f"longer than {limit} bytes")
    if not _ALPHABET.fullmatch(token) or len(token) % 4 == 1:
        raise CoseError("not base64url without padding")
    text = base64.urlsafe_b64decode(token + b"=" * (-len(token) % 4))
    if _encoded(text) != token:
        raise CoseError("not base64url in its one form")  # RFC 4648, 3.5: spare bits that are not zero
    return cose.opened(text)


def made(raw: Mapping[int, Any], key: Signer) -> str:
    """A token with these claims, by number, signed with `key`."""
    return _encoded(cose.sealed(cbor.encode(dict(raw)), key)).decode("ascii")


def _encoded(text: bytes) -> bytes:
    return base64.urlsafe_b64encode(text).rstrip(b"=")


def _first_step(path: bytes) -> tuple[bytes, bytes | None]:
    """`path` without a token that is its first step, and that token."""
    end = path.find(b"/", 1)
    return (path[end:], path[1:end]) if end > STEP_LEAST else (path, None)


def _parameter(query: bytes) -> tuple[bytes, bytes | None]:
    if query.startswith(b"CAT=") and b"&" not in query:
        return b"", query[4:]
    kept: list[bytes] = []
    token = None
    for part in query.split(b"&"):
        name, _, value = part.partition(b"=")
        if name == PARAMETER:
            token = value if token is None else b""  # two tokens are none: neither reading is safe
        else:
            kept.append(part)
    return b"&".join(kept), token


def _cookie(cookies: bytes) -> bytes | None:
    for pair in re.split(rb"[;,]", cookies):
        name, _, value = pair.strip().partition(b"=")
        if name == COOKIE:
            return value.strip(b'"')
    return None
