"""Errors over HTTP: problem documents (RFC 9457)."""

from __future__ import annotations

import msgspec
from aiohttp import web

CONTENT_TYPE = "application/problem+json"


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body. `type` is a stable identifier: `about:blank` or a tag such as `tag:oca,2026:not-ready`."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    instance: str = ""
    retry_after_s: int | None = None


class ProblemError(Exception):
    """Raised by a handler to answer with a problem document."""

    def __init__(
        self, status: int, title: str, detail: str = "", *, kind: str = "about:blank", retry_after_s: int | None = None
    ) -> None:
        super().__init__(f"{status} {title}: {detail}")
        self.problem = Problem(type=kind, title=title, status=status, detail=detail, retry_after_s=retry_after_s)


def response(problem: Problem) -> web.Response:
    """`problem` as a response, with Retry-After where it has one."""
    headers = {"Cache-Control": "no-store"}
    if problem.retry_after_s is not None:
        headers["Retry-After"] = str(problem.retry_after_s)
    return web.Response(
        status=problem.status, body=msgspec.json.encode(problem), content_type=CONTENT_TYPE, headers=headers
    )
