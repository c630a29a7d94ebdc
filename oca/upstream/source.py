"""Fetching one object from one source over HTTP: the only place that talks to upstream.

The client's errors are translated here, once, into faults that say what the source did. Nothing here knows
what the bytes should be; `flight.py` checks them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp import hdrs

from control.kit.clock import Clock
from control.wire import Source
from oca.config import UpstreamSettings
from oca.upstream.faults import AbsentError, BrokenError, SourceError, UnreachableError

CDN_LOOP = "CDN-Loop"
READ_BYTES = 256 * 1024
SLOW_START_S = 5.0
"""Waiting that a source may cost before its rate is looked at."""


@dataclass(frozen=True)
class Answer:
    """A source's 200: its length as told (None: not told) and its bytes as they come."""

    source: Source
    length: int | None
    chunks: AsyncIterator[bytes]


class Upstream:
    """HTTP to every source, with time limits and a limit of requests per source."""

    def __init__(self, settings: UpstreamSettings, *, me: str, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._me = me
        self._session: aiohttp.ClientSession | None = None
        self._slots: dict[str, asyncio.Semaphore] = {}

    def __repr__(self) -> str:
        return f"<Upstream of {self._me}, {len(self._slots)} sources>"

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @asynccontextmanager
    async def fetch(self, source: Source, key: str, via: Sequence[str] = ()) -> AsyncIterator[Answer]:
        """Ask `source` for `key`. `via` are the appliances that asked before us.

        Raises UnreachableError, BrokenError or AbsentError, also from within `chunks`.
        """
        slots = self._slots.setdefault(source.url, asyncio.Semaphore(self._settings.max_per_source))
        async with slots:
            answer = await self._begin(source, key, via)
            try:
                if answer.status != 200:
                    raise await _refusal(source, answer)
                yield Answer(source, answer.content_length, self._chunks(source, answer))
            finally:
                answer.close()

    async def _begin(self, source: Source, key: str, via: Sequence[str]) -> aiohttp.ClientResponse:
        url = f"{source.url.rstrip('/')}/s/{key}"
        headers = {CDN_LOOP: ", ".join([*via, self._me]), hdrs.ACCEPT_ENCODING: "identity"}
        try:
            async with asyncio.timeout(self._settings.connect_timeout + self._settings.first_byte_timeout):
                return await self._client().get(url, headers=headers, allow_redirects=False)
        except TimeoutError as error:
            raise UnreachableError(source.name, f"{source.url} did not answer in time") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise UnreachableError(source.name, f"{source.url} cannot be reached: {error}") from error

    async def _chunks(self, source: Source, answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        """The body as it comes. Only time spent waiting for the source counts against it."""
        waited = received = 0.0
        while True:
            asked = self._clock.monotonic()
            try:
                async with asyncio.timeout(self._settings.stall_timeout):
                    chunk = await answer.content.readany()
            except TimeoutError as error:
                words = f"sent nothing for {self._settings.stall_timeout:g} s"
                raise BrokenError(source.name, words) from error
            except (aiohttp.ClientError, OSError) as error:
                raise BrokenError(source.name, f"broke off: {error}") from error
            if not chunk:
                return
            waited += self._clock.monotonic() - asked
            received += len(chunk)
            if waited > SLOW_START_S and received * 8 < waited * self._settings.min_rate:
                raise BrokenError(source.name, f"sent {received:.0f} bytes in {waited:.1f} s, slower than allowed")
            yield chunk

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=10),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._settings.connect_timeout),
                auto_decompress=False,
                read_bufsize=READ_BYTES,
            )
        return self._session


async def _refusal(source: Source, answer: aiohttp.ClientResponse) -> SourceError:
    words = f"answered {answer.status} {answer.reason or ''}".rstrip()
    if answer.status in (404, 410):
        return AbsentError(source.name, words)
    if answer.status == 508:
        return AbsentError(source.name, words, loop=True)
    return BrokenError(source.name, words)
