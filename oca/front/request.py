"""From the bytes of a request head to a Request, or to a refusal. Sans-IO.

Whatever two implementations could read in two ways is refused, never guessed (RFC 9112, 11.2: request
smuggling). `httptools` (llhttp) does the grammar; what it tolerates and we do not is checked here first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import httptools

HEAD_END = b"\r\n\r\n"
_FORBIDDEN = re.compile(rb"(?<!\r)\n|\r(?!\n)|\x00|\r\n[ \t]")
"""A bare LF or CR, a NUL, a folded field line."""
_HOST = re.compile(rb"^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%!$&'()*+,;=-]+)(?::\d{1,5})?$")
_ABSOLUTE = re.compile(rb"^https?://([^/?#]*)([^#]*)$", re.IGNORECASE)
_ENCODED = re.compile(rb"%([0-9A-Fa-f]{2})?")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ONCE = frozenset((b"host", b"content-length", b"range", b"if-range", b"authorization"))


class BadRequestError(Exception):
    """The client's fault. `status` and `reason` are for the answer, after which the connection closes."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(slots=True)
class Request:
    """One request. Header names are lower-case; repeated fields are joined as lists are."""

    method: bytes
    path: bytes
    query: bytes
    headers: dict[bytes, bytes] = field(default_factory=dict)
    keep_alive: bool = True
    body_length: int = 0
    """Bytes of body that follow the head; a chunked body is -1."""


class _Collector:
    """What httptools calls back."""

    def __init__(self) -> None:
        self.url = b""
        self.fields: list[tuple[bytes, bytes]] = []

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value))


def parse_head(head: bytes, *, field_limit: int) -> Request:
    """The request whose head is exactly `head`, ending in an empty line. Raises BadRequestError."""
    found = _FORBIDDEN.search(head)
    if found is not None:
        raise BadRequestError(400, "bare CR or LF, NUL or a folded line in the head")
    collector = _Collector()
    parser = httptools.HttpRequestParser(collector)
    upgrade = False
    try:
        parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        upgrade = True
    except httptools.HttpParserError as error:
        raise BadRequestError(400, f"not HTTP: {error}") from error
    if len(collector.fields) > field_limit:
        raise BadRequestError(431, f"more than {field_limit} header fields")
    http11 = _version(parser.get_http_version())
    headers = _joined(collector.fields)
    path, query = _target(collector.url, headers, http11=http11)
    keep_alive = bool(parser.should_keep_alive()) and not upgrade
    return Request(parser.get_method(), path, query, headers, keep_alive, _body_length(headers, http11=http11))


def _version(version: str) -> bool:
    if version not in {"1.0", "1.1"}:
        raise BadRequestError(505, f"HTTP/{version} is not spoken here; HTTP/1.1 is")
    return version == "1.1"


def _joined(fields: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    for name, value in fields:
        if name in headers:
            if name in _ONCE:
                raise BadRequestError(400, f"{name.decode('latin-1')} is given twice")
            headers[name] += b", " + value
        else:
            headers[name] = value
    return headers


def _target(url: bytes, headers: dict[bytes, bytes], *, http11: bool) -> tuple[bytes, bytes]:
    """Path and query of origin-form or absolute-form (RFC 9112, 3.2), with Host checked."""
    host = headers.get(b"host")
    if host is None and http11:
        raise BadRequestError(400, "HTTP/1.1 without Host")
    if host is not None and not _HOST.match(host):
        raise BadRequestError(400, "Host is no host")
    if not url.startswith(b"/"):
        absolute = _ABSOLUTE.match(url)
        if absolute is None:
            if url == b"*":
                return b"*", b""
            raise BadRequestError(400, "the target is neither a path nor an absolute URL")
        authority, url = absolute.groups()
        if host is not None and authority.lower() != host.lower():
            raise BadRequestError(400, "the target's authority and Host differ")
        url = url if url.startswith(b"/") else b"/" + url
    path, _, query = url.partition(b"?")
    return _normal(path), query


def _normal(path: bytes) -> bytes:
    """`path` with unreserved characters decoded (RFC 3986, 6.2.2.2). What could climb or hide is refused."""
    if b"%" in path:
        path = _ENCODED.sub(_decoded, path)
    if b"\\" in path or b"#" in path:
        raise BadRequestError(400, "a backslash or fragment in the path")
    if b"/." in path and any(step in {b".", b".."} for step in path.split(b"/")):
        raise BadRequestError(400, "`.` or `..` as a step of the path")
    return path


def _decoded(match: re.Match[bytes]) -> bytes:
    digits = match.group(1)
    if digits is None:
        raise BadRequestError(400, "a percent sign that encodes nothing")
    value = int(digits, 16)
    if value in {0x2F, 0x5C} or value < 0x20 or value == 0x7F:
        raise BadRequestError(400, "an encoded slash, backslash or control character in the path")
    return bytes((value,)) if value in _UNRESERVED else match.group(0)


def _body_length(headers: dict[bytes, bytes], *, http11: bool) -> int:
    coding = headers.get(b"transfer-encoding")
    length = headers.get(b"content-length")
    if coding is not None:
        if length is not None:
            raise BadRequestError(400, "both Content-Length and Transfer-Encoding")
        if not http11 or coding.strip().lower() != b"chunked":
            raise BadRequestError(501 if http11 else 400, "a transfer coding other than chunked")
        return -1
    if length is None:
        return 0
    if not length.isdigit() or len(length) > 18:
        raise BadRequestError(400, "Content-Length is no number")
    return int(length)
