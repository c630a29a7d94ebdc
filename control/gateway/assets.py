"""Static files of the web page: read once per change, compressed once, served with an ETag.

Only names that the caller lists can be asked for; nothing here turns a request into a path.
"""

from __future__ import annotations

import asyncio
import gzip
from dataclasses import dataclass
from pathlib import Path

import xxhash
from aiohttp import web

from control.kit.problem import ProblemError

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}
ASSET_LIMIT_BYTES = 16 * 1024 * 1024
_COMPRESSED = {".html", ".js", ".mjs", ".css", ".json", ".svg"}


@dataclass(frozen=True)
class Asset:
    """One file as it was at `stamp` (modification time in ns, bytes)."""

    stamp: tuple[int, int]
    content_type: str
    digest: str
    body: bytes
    compressed: bytes | None


class Assets:
    """Files by name. The caller's list of names bounds what is kept in memory."""

    def __init__(self) -> None:
        self._kept: dict[Path, Asset] = {}

    def __repr__(self) -> str:
        return f"<Assets, {len(self._kept)} in memory>"

    async def load(self, path: Path) -> Asset | None:
        """The file at `path`, or None when there is none."""
        stamp = await asyncio.to_thread(_stamp, path)
        if stamp is None:
            self._kept.pop(path, None)
            return None
        kept = self._kept.get(path)
        if kept is None or kept.stamp != stamp:
            kept = self._kept[path] = await asyncio.to_thread(_read, path, stamp)
        return kept


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size) if path.is_file() and status.st_size <= ASSET_LIMIT_BYTES else None


def _read(path: Path, stamp: tuple[int, int]) -> Asset:
    try:
        body = path.read_bytes()
    except OSError as error:
        raise ProblemError(500, "File cannot be read", f"{path.name}: {error.strerror}") from error
    compressed = gzip.compress(body, 6, mtime=0) if path.suffix in _COMPRESSED else None
    return Asset(
        stamp=stamp,
        content_type=TYPES.get(path.suffix, "application/octet-stream"),
        digest=xxhash.xxh3_64_hexdigest(body),
        body=body,
        compressed=compressed if compressed is not None and len(compressed) < len(body) else None,
    )


def respond(request: web.Request, asset: Asset, headers: dict[str, str]) -> web.Response:
    """`asset` as this client takes it: compressed or not, or 304 when it has it (RFC 9110, 8.8.3 and 13.1.2)."""
    small = asset.compressed is not None and accepts_gzip(request.headers.get("Accept-Encoding", ""))
    etag = f'"{asset.digest}-gzip"' if small else f'"{asset.digest}"'
    headers = headers | {"ETag": etag, "Vary": "Accept-Encoding"}
    if known(request.headers.get("If-None-Match", ""), etag):
        return web.Response(status=304, headers=headers)
    headers |= {"Content-Type": asset.content_type, "X-Content-Type-Options": "nosniff"}
    if small:
        headers["Content-Encoding"] = "gzip"
    return web.Response(body=asset.compressed if small else asset.body, headers=headers)


def accepts_gzip(header: str) -> bool:
    """Whether an Accept-Encoding header (RFC 9110, 12.5.3) names gzip and does not refuse it.

    >>> accepts_gzip("br, gzip;q=0.5"), accepts_gzip("gzip;q=0"), accepts_gzip("")
    (True, False, False)
    """
    for coding in header.lower().split(","):
        name, _, parameter = coding.partition(";")
        if name.strip() in ("gzip", "x-gzip"):
            weight = parameter.strip().removeprefix("q=").strip() if parameter else "1"
            return weight.strip("0.") != ""
    return False


def known(header: str, etag: str) -> bool:
    """Whether an If-None-Match header names `etag`, comparing weakly.

    >>> known('"a", W/"b"', '"b"'), known("*", '"b"'), known("", '"b"')
    (True, True, False)
    """
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return etag in tags or header.strip() == "*"
