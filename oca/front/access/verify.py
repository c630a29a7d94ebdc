"""The gate in front of segments: a request comes in with or without a token, a decision goes out. Pure.

A token is verified once and remembered by its digest, so that a player's next request costs a look-up and
the checks that depend on the request: time, method, client, URL. What is remembered is bounded; what has
not been used lately goes first. Only tokens that verified are remembered, so strangers cannot fill it.
Every refusal is a 403: a player that shows a token again is told the same again (RFC 9110, 15.5.4).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

import msgspec

from oca.front.access import cat, claims, network, renewal, uri, urlsign
from oca.front.access.cat import Carried
from oca.front.access.claims import Claims
from oca.front.access.keyring import Key, Keyring, SecretKey
from oca.front.access.remembered import Remembered
from oca.front.access.settings import AccessSettings
from oca.front.access.uri import Rule, Target, Test
from oca.front.access.urlsign import SignedError

RENEWAL_REUSE_S: Final = 10.0
"""How long a renewed token is handed out again before another is made."""
DIGEST_BYTES: Final = 16


class Allowed(msgspec.Struct, frozen=True, gc=False):
    """The request may go on, as `path` and `query`: without a token. `fields` are lines for the response's head."""

    path: bytes
    query: bytes
    fields: bytes = b""


class Denied(msgspec.Struct, frozen=True):
    """The request may not go on. `kind` and `detail` are for a problem document (RFC 9457) and hold no secrets."""

    kind: str
    detail: str
    status: int = 403


MISSING: Final = Denied("tag:oca,2026:token-missing", "this needs a token, and the request has none")
EXPIRED: Final = Denied("tag:oca,2026:token-expired", "the token's time is over; get a new one")
EARLY: Final = Denied("tag:oca,2026:token-early", "the token's time has not begun")
METHOD: Final = Denied("tag:oca,2026:token-method", "the token is not for this method")
CLIENT: Final = Denied("tag:oca,2026:token-client", "the token is for other client addresses")
PATH: Final = Denied("tag:oca,2026:token-path", "the token is for other URLs")


class Grant:
    """What a verified token or signature allows. Times in Unix seconds, our tolerance of clocks included."""

    __slots__ = (
        "claims", "client", "expires", "key", "methods", "networks", "paths", "renewed", "rules", "starts", "used"
    )  # fmt: skip

    def __init__(self, told: Claims, key: Key | None, skew_s: float) -> None:
        self.claims = told
        self.key = key if isinstance(key, SecretKey) and told.renewal is not None else None
        self.starts = -skew_s if told.starts is None else told.starts - skew_s
        self.expires = told.expires + skew_s
        self.methods = told.methods
        self.networks = told.networks
        self.paths: tuple[Test, ...] = tuple(
            test for rule in told.rules if rule.component == uri.PATH for test in rule.tests
        )
        self.rules: tuple[Rule, ...] = tuple(rule for rule in told.rules if rule.component != uri.PATH)
        self.client = ""
        self.renewed = (-RENEWAL_REUSE_S, "", b"")
        self.used = True

    def __repr__(self) -> str:
        return f"<Grant until {self.expires:.0f}, {len(self.paths) + len(self.rules)} rules>"

    def refuses(self, path: bytes, client: str, method: bytes, now: float) -> Denied | None:
        """Why a request of `path` may not go on; None when it may, if `rules_hold` too."""
        if now >= self.expires:
            return EXPIRED
        if now < self.starts:
            return EARLY
        if self.methods is not None and method not in self.methods:
            return METHOD
        if self.networks is not None and client != self.client and not self._holds(client):
            return CLIENT
        for test in self.paths:
            if not test(path):
                return PATH
        return None

    def rules_hold(self, target: Target) -> bool:
        """Whether what the token says of other parts of the URL than its path holds."""
        return all(rule.holds(target) for rule in self.rules)

    def _holds(self, client: str) -> bool:
        address = network.packed(client)
        if address is None or not any(prefix.holds(address) for prefix in self.networks or ()):
            return False
        self.client = client
        return True


class Gate:
    """Decides for each request. One for each worker."""

    def __init__(self, settings: AccessSettings, keys: Keyring) -> None:
        """Raises ValueError when a trusted prefix is none."""
        self._settings = settings
        self._keys = keys
        self._off = settings.mode == "off"
        self._cat = settings.mode in {"cat", "either"}
        self._url = settings.mode in {"url", "either"}
        self._skew_s = float(settings.clock_skew)
        self._issuers = frozenset(settings.issuers)
        self._audiences = frozenset(settings.audiences)
        self._trusted = tuple(network.network(prefix) for prefix in settings.trusted)
        self._tokens: Remembered[Grant] = Remembered(settings.cache_entries)
        self._signed: Remembered[Grant] = Remembered(settings.cache_entries)

    def __repr__(self) -> str:
        return f"<Gate {self._settings.mode}, tokens {self._tokens!r}, signed URLs {self._signed!r}>"

    def check(
        self,
        path: bytes,
        query: bytes,
        headers: Mapping[bytes, bytes],
        client: str,
        method: bytes,
        *,
        now: float,
        scheme: bytes = b"http",
    ) -> Allowed | Denied:
        """Whether a request may go on.

        `path` and `headers` as Request has them (names in lower case), `client` its address as text, `now` in
        Unix seconds.
        """
        if self._off:
            return Allowed(path, query)
        carried = cat.find(path, query, headers) if self._cat else None
        if self._trusted and self._is_trusted(client):
            return Allowed(path, query) if carried is None else Allowed(carried.path, carried.query)
        if carried is not None:
            grant = self._by_token(carried.token)
        else:
            carried = Carried(b"", "query", path, query)
            grant = self._by_signature(path, query) if self._url else MISSING
        refusal = grant if isinstance(grant, Denied) else grant.refuses(carried.path, client, method, now)
        if refusal is not None:
            return refusal
        assert isinstance(grant, Grant)
        if grant.rules and not grant.rules_hold(Target(scheme, headers.get(b"host", b""), carried.path, carried.query)):
            return PATH
        return Allowed(
            carried.path, carried.query, self._renewal(grant, carried, now) if grant.key is not None else b""
        )

    def _is_trusted(self, client: str) -> bool:
        address = network.packed(client)
        return address is not None and any(prefix.holds(address) for prefix in self._trusted)

    def _by_token(self, token: bytes) -> Grant | Denied:
        digest = hashlib.blake2b(token, digest_size=DIGEST_BYTES).digest()
        grant = self._tokens.peek(digest)
        if grant is not None:
            grant.used = True
            return grant
        try:
            told, key = cat.verified(token, self._keys, self._settings.token_limit)
            self._check_parties(told)
        except ValueError as error:
            return Denied("tag:oca,2026:token-refused", f"the token is refused: {error}")
        return self._tokens.keep(digest, Grant(told, key, self._skew_s))

    def _by_signature(self, path: bytes, query: bytes) -> Grant | Denied:
        grant = self._signed.get(query)
        if grant is not None:
            return grant
        try:
            signed = urlsign.find(query)
            if signed is None:
                return MISSING
            grant = self._signed.get(signed.written) if signed.pfx is not None else None
            if grant is not None:
                return grant
            urlsign.check(signed, path, self._keys)
        except SignedError as error:
            return Denied("tag:oca,2026:signature-refused", f"the signed URL is refused: {error}")
        rule = uri.exactly(path) if signed.pfx is None else uri.below(signed.pfx)
        grant = Grant(Claims(expires=signed.expires, rules=(rule,), raw={}), None, self._skew_s)
        # A signature for one path is asked for once: remembering it would push out others.
        return grant if signed.pfx is None else self._signed.keep(signed.written, grant)

    def _check_parties(self, told: Claims) -> None:
        """Whether the token is from whom we listen to and for us (RFC 8392, 3.1.1 and 3.1.3). Raises ClaimError."""
        if self._issuers and told.issuer not in self._issuers:
            raise claims.ClaimError("its issuer is not one that counts here")
        if told.audiences is not None and self._audiences.isdisjoint(told.audiences):
            raise claims.ClaimError("it is for others than this appliance")

    def _renewal(self, grant: Grant, carried: Carried, now: float) -> bytes:
        """The response line with a renewed token, when the token asks for it and its end is near; else nothing."""
        told, key = grant.claims, grant.key
        wish = told.renewal
        if wish is None or key is None or not renewal.due(wish, told.expires, now):
            return b""
        made_at, carrier, line = grant.renewed
        if carrier != carried.carrier or not 0 <= now - made_at < RENEWAL_REUSE_S:
            raw = {**told.raw, claims.EXP: int(now + wish.adds_s)}
            if claims.IAT in raw:
                raw[claims.IAT] = int(now)
            line = renewal.field(wish, carried.carrier, cat.made(raw, key))
            grant.renewed = (now, carried.carrier, line)
        return line
