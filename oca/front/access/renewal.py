"""Renewal of a token on the way (claim catr, CTA-5007-B, 4.9.2): when, for how long, and in which response field.

Pure. Only a key that can sign renews: an appliance that holds a public key leaves renewal to the issuer. A
redirect is never sent, as no player expects one for a segment.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import msgspec

Carrier = Literal["header", "query", "cookie", "path"]
"""How a token came."""

AUTOMATIC, COOKIE, HEADER, REDIRECT = range(4)
TYPE, EXPADD, DEADLINE, COOKIE_NAME, HEADER_NAME, COOKIE_PARAMS, HEADER_PARAMS, CODE = range(8)
FIELD: Final = "CTA-Common-Access-Token"
"""The header field, and the cookie, that a token comes in."""
DEADLINE_S: Final = 60.0
"""How long before its end a token is renewed when catr does not say."""
LONGEST_S: Final = 30 * 86400.0
PARAMS_LIMIT: Final = 8

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}\Z")
_PARAM = re.compile(r"[ -:<-~]{1,128}\Z")
_FORBIDDEN: Final = re.compile(
    r"(?:set-cookie2?|content-.*|transfer-encoding|connection|keep-alive|upgrade|trailer|location|host|"
    r"access-control-.*|cache-control|etag|vary|date|age|server|status|strict-transport-security)\Z",
    re.IGNORECASE,
)
"""Fields that say something else: no token is written into them, whoever asks."""


class Renewal(msgspec.Struct, frozen=True, kw_only=True):
    """What catr asks for. `adds_s` seconds from now are the new end; renewed from `before_s` before the old one."""

    kind: int
    adds_s: float
    before_s: float = DEADLINE_S
    cookie: str = FIELD
    cookie_params: tuple[str, ...] = ()
    header: str = FIELD
    header_params: tuple[str, ...] = ()


def read(claim: Any) -> Renewal:
    """The value of catr. Raises ValueError with what is wrong."""
    if not isinstance(claim, dict) or not claim.keys() <= set(range(CODE + 1)):
        raise ValueError("catr is not a map of what is known here")
    kind = claim.get(TYPE)
    if isinstance(kind, bool) or kind not in {AUTOMATIC, COOKIE, HEADER, REDIRECT}:
        raise ValueError("catr has no type known here")
    return Renewal(
        kind=kind,
        adds_s=_seconds(claim.get(EXPADD), "expadd"),
        before_s=_seconds(claim.get(DEADLINE, DEADLINE_S), "deadline"),
        cookie=_name(claim.get(COOKIE_NAME, FIELD), "cookie-name"),
        cookie_params=_params(claim.get(COOKIE_PARAMS, ()), "cookie-params"),
        header=_field_name(claim.get(HEADER_NAME, FIELD)),
        header_params=_params(claim.get(HEADER_PARAMS, ()), "header-params"),
    )


def due(renewal: Renewal, expires: float, now: float) -> bool:
    """Whether a token that ends at `expires` is to be renewed now."""
    return expires - renewal.before_s <= now < expires and now + renewal.adds_s > expires


def field(renewal: Renewal, carrier: Carrier, token: str) -> bytes:
    """The response line that hands `token` over, with its line end; empty when it cannot be done in a response.

    Automatic renewal goes back the way the token came (CTA-5007-B, 4.9.2).
    """
    as_cookie = renewal.kind == COOKIE or (renewal.kind == AUTOMATIC and carrier == "cookie")
    as_header = renewal.kind == HEADER or (renewal.kind == AUTOMATIC and carrier == "header")
    if as_cookie:
        return _line("Set-Cookie", f"{renewal.cookie}={token}", renewal.cookie_params)
    return _line(renewal.header, token, renewal.header_params) if as_header else b""


def _line(name: str, value: str, params: tuple[str, ...]) -> bytes:
    return f"{name}: {'; '.join((value, *params))}\r\n".encode("ascii")


def _seconds(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= LONGEST_S:
        raise ValueError(f"catr's {name} is not a number of seconds up to {LONGEST_S:.0f}")
    return float(value)


def _name(value: Any, name: str) -> str:
    if not isinstance(value, str) or not _NAME.match(value):
        raise ValueError(f"catr's {name} is not a name")
    return value


def _field_name(value: Any) -> str:
    name = _name(value, "header-name")
    if _FORBIDDEN.match(name):
        raise ValueError("catr's header-name is a field that has another meaning")
    return name


def _params(value: Any, name: str) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) else value
    if not isinstance(texts, tuple) or len(texts) > PARAMS_LIMIT:
        raise ValueError(f"catr's {name} is not a short list of texts")
    if not all(isinstance(text, str) and _PARAM.match(text) for text in texts):
        raise ValueError(f"catr's {name} holds what a header may not")
    return texts
