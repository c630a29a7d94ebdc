"""Calls to another service of ours: a base URL, a time limit, errors that say who is at fault."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

import aiohttp
import msgspec

from control.kit.errors import UnreachableError
from control.kit.problem import Problem

T = TypeVar("T")

ANSWER_LIMIT_BYTES = 64 * 1024 * 1024


class ServiceError(UnreachableError):
    """The service answered, but not with what was asked. `status` is its HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class ServiceClient:
    """JSON over HTTP to one service. Every call has a time limit; nothing is retried here."""

    def __init__(
        self, name: str, base_url: str, *, timeout_s: float = 5.0, answer_limit_bytes: int = ANSWER_LIMIT_BYTES
    ) -> None:
        self.name = name
        self.base_url = base_url.rstrip("/")
        self._answer_limit_bytes = answer_limit_bytes
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"<ServiceClient {self.name} {self.base_url}>"

    async def __aenter__(self) -> ServiceClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get(self, path: str, decode: Callable[[bytes], T], *, params: dict[str, str] | None = None) -> T:
        """GET `path`; the body decoded. Raises UnreachableError, or ServiceError with the status."""
        return self._decoded(path, await self._exchange("GET", path, params=params), decode)

    async def post(self, path: str, body: bytes, decode: Callable[[bytes], T]) -> T:
        """POST JSON `body` to `path`; the body of the answer decoded."""
        return self._decoded(path, await self._exchange("POST", path, body=body), decode)

    async def send(self, method: str, path: str, body: bytes = b"") -> None:
        """Send JSON and drop the answer's body."""
        await self._exchange(method, path, body=body)

    def _decoded(self, path: str, body: bytes, decode: Callable[[bytes], T]) -> T:
        try:
            return decode(body)
        except ValueError as error:
            raise ServiceError(f"{self.name} at {self.base_url}{path} sent nonsense: {error}", 200) from error

    async def _exchange(
        self, method: str, path: str, *, params: dict[str, str] | None = None, body: bytes | None = None
    ) -> bytes:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        url = self.base_url + path
        headers = {"Content-Type": "application/json"} if body is not None else None
        try:
            async with self._session.request(method, url, params=params, data=body, headers=headers) as answer:
                data = await self._body(url, answer)
                if answer.status >= 400:
                    raise ServiceError(f"{self.name} at {url} answered {answer.status}: {_words(data)}", answer.status)
                return data
        except asyncio.TimeoutError as error:
            raise UnreachableError(f"{self.name} at {url} did not answer in {self._timeout.total} s") from error
        except aiohttp.ClientConnectorError as error:
            number = error.os_error.errno
            words = os.strerror(number).lower() if number and number > 0 else str(error)
            raise UnreachableError(f"{self.name} at {url} cannot be reached: {words}") from error
        except aiohttp.ClientError as error:
            raise UnreachableError(f"{self.name} at {url} cannot be reached: {error}") from error

    async def _body(self, url: str, answer: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for piece in answer.content.iter_any():
            body += piece
            if len(body) > self._answer_limit_bytes:
                words = f"{self.name} at {url} sent more than {self._answer_limit_bytes} bytes"
                raise ServiceError(words, answer.status)
        return bytes(body)


def _words(body: bytes) -> str:
    """What an error's body says: a problem document's own words, or the beginning of anything else."""
    try:
        problem = msgspec.json.decode(body, type=Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body[:500].decode("utf-8", "replace")
    return f"{problem.title}: {problem.detail}" if problem.detail else problem.title
