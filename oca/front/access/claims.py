"""What a Common Access Token says: CWT claims (RFC 8392) and those of CTA-5007-B, read into a typed value. Pure.

A claim that limits a token and that this appliance cannot check refuses the token: letting it pass would
give away more than was granted. Claims that only inform are read over. Texts of errors are fit for strangers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from oca.front.access import cbor, network, renewal, uri
from oca.front.access.cbor import CborError
from oca.front.access.network import Network
from oca.front.access.renewal import Renewal
from oca.front.access.uri import Rule

ISS, SUB, AUD, EXP, NBF, IAT, CTI, CNF = range(1, 9)
CATREPLAY, CATPOR, CATV, CATNIP, CATU, CATM = range(308, 314)
CATIFDATA: Final = 320
CATR: Final = 323
NAMES: Final = {
    **dict(enumerate("iss sub aud exp nbf iat cti cnf".split(), start=ISS)),
    282: "geohash",
    **dict(enumerate("catreplay catpor catv catnip catu catm catalpn cath catgeoiso3166".split(), start=CATREPLAY)),
    **dict(enumerate("catgeocoord catgeoalt cattpk catifdata catdpop catif catr".split(), start=317)),
}
"""Registered numbers (IANA, CBOR Web Token Claims)."""
VERSION: Final = 1
LIST_LIMIT: Final = 256
"""Entries that a claim's list may have."""

_INFORMING: Final = frozenset((SUB, IAT, CTI, CATIFDATA))


class ClaimError(ValueError):
    """A claim that does not hold, or cannot be checked here."""


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """A verified token's claims. None: the token does not limit that."""

    expires: float
    """Unix seconds from which on it is no longer good."""
    starts: float | None = None
    issuer: str | None = None
    audiences: tuple[str, ...] | None = None
    methods: frozenset[bytes] | None = None
    networks: tuple[Network, ...] | None = None
    rules: tuple[Rule, ...] = ()
    renewal: Renewal | None = None
    raw: dict[Any, Any]
    """All claims by number, as decoded."""


def read(payload: bytes) -> Claims:
    """The claims in a token's payload. Raises ClaimError."""
    try:
        raw = cbor.decode(payload)
    except CborError as error:
        raise ClaimError(f"the claims are not CBOR: {error}") from error
    if not isinstance(raw, dict):
        raise ClaimError("the claims are no map")
    told: dict[str, Any] = {}
    for number, value in raw.items():
        if number in _INFORMING:
            continue
        reader = _READERS.get(number)
        if reader is None:
            raise ClaimError(f"the claim {NAMES.get(number, 'of an unknown number')} cannot be checked here")
        field, check = reader
        try:
            told[field] = check(value)
        except ValueError as error:
            raise ClaimError(str(error)) from error
    if "expires" not in told:
        raise ClaimError("it has no exp: a token here must end")
    told.pop("", None)
    return Claims(**told, raw=raw)


def _time(value: Any) -> float:
    """NumericDate without a tag (RFC 8392, section 2)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("a time that is not a number")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("iss is not a text")
    return value


def _audiences(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else _texts(value, "aud")


def _methods(value: Any) -> frozenset[bytes]:
    """Methods, in which case counts (RFC 9110, 9.1)."""
    return frozenset(method.encode() for method in _texts(value, "catm"))


def _texts(value: Any, name: str) -> tuple[str, ...]:
    if not isinstance(value, tuple) or not value or not all(isinstance(text, str) for text in value):
        raise ValueError(f"{name} is not a list of texts")
    if len(value) > LIST_LIMIT:
        raise ValueError(f"{name} has more than {LIST_LIMIT} entries")
    return value


def _networks(value: Any) -> tuple[Network, ...]:
    if not isinstance(value, tuple) or not value or len(value) > LIST_LIMIT:
        raise ValueError(f"catnip is not a list of 1 to {LIST_LIMIT} entries")
    try:
        found = [network.tagged(entry) for entry in value]
    except ValueError as error:
        raise ValueError(f"catnip holds {error}") from error
    return tuple(entry for entry in found if entry is not None)


def _version(value: Any) -> None:
    if isinstance(value, bool) or value != VERSION:
        raise ValueError(f"catv is not {VERSION}, the one version known here")


def _replay(value: Any) -> None:
    """0 permits reuse; 1 prohibits it and 2 wants it detected, which one appliance of many cannot."""
    if isinstance(value, bool) or value != 0:
        raise ValueError("catreplay asks for what an appliance cannot see: whether a token was used elsewhere")


_READERS: Final[dict[Any, tuple[str, Callable[[Any], Any]]]] = {
    ISS: ("issuer", _text),
    AUD: ("audiences", _audiences),
    EXP: ("expires", _time),
    NBF: ("starts", _time),
    CATREPLAY: ("", _replay),
    CATV: ("", _version),
    CATNIP: ("networks", _networks),
    CATU: ("rules", uri.rules),
    CATM: ("methods", _methods),
    CATR: ("renewal", renewal.read),
}
"""Claim → field of Claims (empty: only checked), and how its value is read."""
