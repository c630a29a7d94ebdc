"""The client side of content steering (RFC 8216bis section 7, draft-pantos-content-steering, ETSI TS 103 998).

Pure: says when and where to ask, takes the answer, gives the new priorities. Fetching is the session's,
choosing a pathway `failover.py`'s. Whatever goes wrong keeps the old list; only 410 ends the asking.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

import msgspec

from bench.player.presentation import URI_LIMIT, Format

TTL_DEFAULT_S = 300
TTL_LIMIT_S = 86_400
BODY_LIMIT_BYTES = 256 * 1024


class SteeringList(msgspec.Struct, frozen=True):
    """A steering manifest as anybody may send it: more lenient than what we send ourselves."""

    version: int = msgspec.field(name="VERSION")
    priority: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=1000)] = msgspec.field(
        name="PATHWAY-PRIORITY"
    )
    ttl_s: Annotated[float, msgspec.Meta(ge=0)] = msgspec.field(name="TTL", default=TTL_DEFAULT_S)
    reload_uri: Annotated[str, msgspec.Meta(max_length=URI_LIMIT)] = msgspec.field(name="RELOAD-URI", default="")


class SteeringClient:
    """When to ask steering next, where, and what its answers mean."""

    def __init__(self, url: str, kind: Format, *, now: float, ttl_least_s: float = 1.0) -> None:
        self.url = url
        self.asked = 0
        self.last_error = ""
        self._kind = kind
        self._ttl_least_s = ttl_least_s
        self._ttl_s = float(TTL_DEFAULT_S)
        self._due: float | None = now

    def __repr__(self) -> str:
        return f"<SteeringClient {self.url} {'stopped' if self.stopped else f'every {self._ttl_s} s'}>"

    @property
    def stopped(self) -> bool:
        """Whether steering has told us to ask no more (410)."""
        return self._due is None

    def due_in(self, now: float) -> float | None:
        """Seconds until the next question; None when there will be none."""
        return None if self._due is None else max(self._due - now, 0.0)

    def question(self, *, pathway: str, throughput_bps: float | None) -> str:
        """The URL to ask now: which pathway is in use, and how fast it is (bit/s)."""
        self.asked += 1
        return with_report(self.url, self._kind, pathway=pathway, throughput_bps=throughput_bps)

    def answered(
        self, status: int, body: bytes, now: float, *, retry_after_s: float | None = None
    ) -> tuple[str, ...] | None:
        """The new priorities in an answer, or None to keep the old ones."""
        if status == 200:
            return self._listed(body, now)
        if status == 410:
            self._due = None
            self.last_error = "410: asked to stop"
            return None
        wait_s = retry_after_s if status == 429 and retry_after_s is not None else None
        self.unanswered(f"answered {status}", now, wait_s=wait_s)
        return None

    def unanswered(self, words: str, now: float, *, wait_s: float | None = None) -> None:
        """No usable answer: the old list stands, the next question comes after the old TTL or `wait_s`."""
        self.last_error = words
        self._due = now + _clamped(self._ttl_s if wait_s is None else wait_s, self._ttl_least_s)

    def _listed(self, body: bytes, now: float) -> tuple[str, ...] | None:
        try:
            found = msgspec.json.decode(body, type=SteeringList)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self.unanswered(f"not a steering manifest: {error}", now)
            return None
        if found.version != 1:
            self.unanswered(f"VERSION {found.version}; only 1 is understood", now)
            return None
        if found.reload_uri:
            self.url = urljoin(self.url, found.reload_uri)
        self._ttl_s = _clamped(found.ttl_s, self._ttl_least_s)
        self._due = now + self._ttl_s
        self.last_error = ""
        return found.priority


def with_report(url: str, kind: Format, *, pathway: str, throughput_bps: float | None) -> str:
    """`url` with the standard's query parameters; ones of an earlier question are replaced.

    DASH quotes its list of locations (TS 103 998, 8.3).

    >>> with_report("http://s/t?session=1", "hls", pathway="a", throughput_bps=5e6)
    'http://s/t?session=1&_HLS_pathway=a&_HLS_throughput=5000000'
    >>> with_report("http://s/t", "dash", pathway="a", throughput_bps=None)
    'http://s/t?_DASH_pathway=%22a%22'
    """
    prefix = f"_{kind.upper()}_"
    parts = urlsplit(url)
    query = [
        (name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if not name.startswith(prefix)
    ]
    query.append((f"{prefix}pathway", f'"{pathway}"' if kind == "dash" else pathway))
    if throughput_bps is not None:
        query.append((f"{prefix}throughput", str(round(throughput_bps))))
    return urlunsplit(parts._replace(query=urlencode(query, quote_via=quote)))


def _clamped(seconds: float, least_s: float) -> float:
    return min(max(seconds, least_s), TTL_LIMIT_S)
