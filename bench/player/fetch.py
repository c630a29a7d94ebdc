"""One GET with every time limit a player needs, measured and recorded. Bodies are counted, not kept.

I/O only: decides nothing. Time limits run on the event loop's clock, because sockets do; measured times
are the injected clock's. Every failure is a FetchError whose kind says what went wrong.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Protocol

import aiohttp
import msgspec
from yarl import URL

from bench.player.failover import FailureKind
from bench.player.limits import PlayerLimits
from bench.player.presentation import ByteRange
from bench.player.result import Purpose, RequestRecord
from control.kit.clock import Clock

RETRY_AFTER_LIMIT_S = 3600.0
_KINDS: dict[int, FailureKind] = {403: "missing", 404: "missing", 410: "missing", 416: "missing", 429: "busy"}
Progress = Callable[[int, float, int | None], bool]
"""(bytes so far, seconds so far, length if known) → whether to abandon the download."""


class Checker(Protocol):
    """Looks at a body as it comes, for instance to compare its digest."""

    def feed(self, chunk: bytes) -> None:
        """The next bytes of the body."""

    def verdict(self) -> str:
        """After the last byte: empty when all is well, else what is wrong."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What to get, and how to treat it. `pathway` and `track` are for the record."""

    url: str
    purpose: Purpose
    pathway: str = ""
    track: str = ""
    byte_range: ByteRange | None = None
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    keep: bool = False
    """Return the body. Otherwise its bytes are counted and dropped."""
    checker: Checker | None = None
    progress: Progress | None = None


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """An answer in the 200s, complete."""

    status: int
    size: int
    ttfb_s: float
    duration_s: float
    body: bytes = b""


class FetchError(Exception):
    """A request that brought nothing usable. `kind` tells `failover` what to think of the pathway."""

    def __init__(
        self,
        kind: FailureKind,
        words: str,
        *,
        status: int = 0,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(words)
        self.kind = kind
        self.status = status
        self.retry_after_s = retry_after_s


class Abandoned(Exception):  # noqa: N818 - it is a decision of ours, not an error
    """Progress said to stop: `size` bytes came in `duration_s`."""

    def __init__(self, count: int, duration_s: float) -> None:
        super().__init__(f"abandoned after {count} bytes in {duration_s:.2f} s")
        self.size = count
        self.duration_s = duration_s


class _Exchange:
    """What is known of one request so far."""

    def __init__(self, ask: Ask, started: float) -> None:
        self.ask = ask
        self.started = started
        self.status = 0
        self.size = 0
        self.ttfb_s = 0.0
        self.expected: int | None = None
        self.kept: list[bytes] = []


class Fetcher:
    """GETs over one aiohttp session. `on_request` hears of each when it has ended."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        *,
        clock: Clock,
        limits: PlayerLimits,
        on_request: Callable[[RequestRecord], None],
    ) -> None:
        self._http = http
        self._clock = clock
        self._limits = limits
        self._on_request = on_request
        self._epoch = clock.monotonic()
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=limits.connect_s)

    async def get(self, ask: Ask) -> Fetched:
        """The answer to `ask`. Raises FetchError or Abandoned."""
        exchange = _Exchange(ask, self._clock.monotonic())
        error = "cancelled"
        try:
            await self._exchange(exchange)
            error = ""
        except (FetchError, Abandoned) as failure:
            error = str(failure)
            raise
        finally:
            duration_s = self._clock.monotonic() - exchange.started
            self._record(exchange, duration_s, error)
        return Fetched(
            status=exchange.status,
            size=exchange.size,
            ttfb_s=exchange.ttfb_s,
            duration_s=duration_s,
            body=b"".join(exchange.kept),
        )

    async def _exchange(self, exchange: _Exchange) -> None:
        """Send, read, and translate what aiohttp raises."""
        words = f"no answer in {self._limits.first_byte_s:g} s"
        kind: FailureKind = "timeout"
        try:
            async with asyncio.timeout(self._limits.first_byte_s) as deadline, self._request(exchange.ask) as answer:
                exchange.status = answer.status
                exchange.ttfb_s = self._clock.monotonic() - exchange.started
                words = f"fewer than {self._limits.slow_window_bytes} bytes in {self._limits.slow_window_s:g} s"
                kind = "slow"
                await self._read(exchange, answer, deadline)
        except aiohttp.ConnectionTimeoutError as error:
            raise FetchError("connect", f"no connection in {self._limits.connect_s:g} s") from error
        except TimeoutError as error:
            raise FetchError(kind, words, status=exchange.status) from error
        except aiohttp.ClientConnectorError as error:
            raise FetchError("connect", f"no connection: {_reason(error)}") from error
        except aiohttp.ClientError as error:
            cut = f"cut off after {exchange.size} bytes: {error or type(error).__name__}"
            raise FetchError("cut", cut, status=exchange.status) from error
        except ValueError as error:
            raise FetchError("connect", f"{exchange.ask.url[:200]!r} is no address: {error}") from error

    def _request(self, ask: Ask) -> aiohttp.client._RequestContextManager:
        headers = {"Accept-Encoding": "identity"} | ask.headers
        if ask.byte_range is not None:
            offset, length = ask.byte_range
            headers["Range"] = f"bytes={offset}-{offset + length - 1}"
        return self._http.get(URL(ask.url, encoded=True), headers=headers, timeout=self._timeout, max_redirects=3)

    async def _read(self, exchange: _Exchange, answer: aiohttp.ClientResponse, deadline: asyncio.Timeout) -> None:
        """Take the body in, as fast as it comes but no slower than the limit."""
        ask = exchange.ask
        if not 200 <= answer.status < 300:
            raise _refused(answer)
        if ask.byte_range is not None and answer.status != 206:
            raise FetchError("length", f"{answer.status} for a byte range; 206 is wanted", status=answer.status)
        exchange.expected = answer.content_length
        limit = self._limits.manifest_bytes if ask.keep else self._limits.segment_bytes
        loop = asyncio.get_running_loop()
        window_start = 0
        deadline.reschedule(loop.time() + self._limits.slow_window_s)
        async for chunk in answer.content.iter_any():
            exchange.size += len(chunk)
            if exchange.size > limit:
                raise FetchError("length", f"more than {limit} bytes", status=answer.status)
            if exchange.size - window_start >= self._limits.slow_window_bytes:
                window_start = exchange.size
                deadline.reschedule(loop.time() + self._limits.slow_window_s)
            self._look_at(exchange, chunk)
        self._complete(exchange)

    def _look_at(self, exchange: _Exchange, chunk: bytes) -> None:
        ask = exchange.ask
        if ask.keep:
            exchange.kept.append(chunk)
        if ask.checker is not None:
            ask.checker.feed(chunk)
        if ask.progress is not None:
            elapsed_s = self._clock.monotonic() - exchange.started
            if ask.progress(exchange.size, elapsed_s, exchange.expected):
                raise Abandoned(exchange.size, elapsed_s)

    def _complete(self, exchange: _Exchange) -> None:
        """Check that the bytes, all here now, are what was asked for."""
        ask = exchange.ask
        wanted = ask.byte_range[1] if ask.byte_range is not None else exchange.expected
        if wanted is not None and exchange.size != wanted:
            raise FetchError("length", f"{exchange.size} bytes instead of {wanted}", status=exchange.status)
        wrong = ask.checker.verdict() if ask.checker is not None else ""
        if wrong:
            raise FetchError("corrupt", wrong, status=exchange.status)

    def _record(self, exchange: _Exchange, duration_s: float, error: str) -> None:
        ask = exchange.ask
        self._on_request(
            RequestRecord(
                url=ask.url,
                purpose=ask.purpose,
                pathway=ask.pathway,
                track=ask.track,
                at_ms=round((exchange.started - self._epoch) * 1000, 3),
                status=exchange.status,
                bytes=exchange.size,
                ttfb_ms=round(exchange.ttfb_s * 1000, 3),
                duration_ms=round(duration_s * 1000, 3),
                error=error,
            )
        )


def _refused(answer: aiohttp.ClientResponse) -> FetchError:
    """What an answer outside the 200s means."""
    return FetchError(
        _KINDS.get(answer.status, "server"),
        f"answered {answer.status}",
        status=answer.status,
        retry_after_s=_retry_after(answer.headers.get("Retry-After")),
    )


def _reason(error: aiohttp.ClientConnectorError) -> str:
    """Why there is no connection, in the system's words where it has any."""
    return os.strerror(error.os_error.errno) if error.os_error.errno else str(error.os_error)


def _retry_after(value: str | None) -> float | None:
    """Retry-After in seconds (RFC 9110, 10.2.3); its date form is not used by our servers and is ignored."""
    if value is None or not value.isascii() or not value.isdigit() or len(value) > 9:
        return None
    return min(float(value), RETRY_AFTER_LIMIT_S)
