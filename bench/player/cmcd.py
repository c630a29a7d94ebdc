"""Common Media Client Data (CTA-5004): what a player tells a CDN about a request.

Pure: values in, headers or a query parameter out. Values are rounded as the standard asks, so that they
don't identify a viewer.
"""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec

ObjectType = Literal["m", "i", "v", "a"]
"""Manifest, initialization segment, video, audio."""

Value = int | str | bool | None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One request's data; None leaves a key out."""

    object_type: ObjectType
    session: str
    content: str
    streaming: Literal["h", "d"]
    bitrate_bps: int | None = None
    duration_s: float | None = None
    buffer_s: float | None = None
    throughput_bps: float | None = None
    startup: bool = False
    """Needed at once: at the start or after a stall."""
    starved: bool = False
    """A stall happened since the last request."""


def headers(report: Report) -> dict[str, str]:
    """The four headers of the standard, each with its keys in alphabetical order; empty ones left out.

    >>> headers(Report(object_type="v", session="s", content="t", streaming="h", bitrate_bps=2_100_400, startup=True))
    {'CMCD-Object': 'br=2101,ot=v', 'CMCD-Request': 'su', 'CMCD-Session': 'cid="t",sf=h,sid="s",st=v'}
    """
    written = {name: _written(keys) for name, keys in _grouped(report).items()}
    return {name: text for name, text in written.items() if text}


def with_query(url: str, report: Report) -> str:
    """`url` with everything in one `CMCD` parameter."""
    keys = {key: value for group in _grouped(report).values() for key, value in group.items()}
    parts = urlsplit(url)
    parameter = f"CMCD={quote(_written(keys), safe='')}"
    return urlunsplit(parts._replace(query=f"{parts.query}&{parameter}" if parts.query else parameter))


def _grouped(report: Report) -> dict[str, dict[str, Value]]:
    return {
        "CMCD-Object": {
            "br": None if not report.bitrate_bps else -(-report.bitrate_bps // 1000),
            "d": None if report.duration_s is None else round(report.duration_s * 1000),
            "ot": report.object_type,
        },
        "CMCD-Request": {
            "bl": None if report.buffer_s is None else _hundreds(max(report.buffer_s, 0.0) * 1000),
            "mtp": None if report.throughput_bps is None else _hundreds(report.throughput_bps / 1000),
            "su": report.startup,
        },
        "CMCD-Session": {
            "cid": _quoted(report.content),
            "sf": report.streaming,
            "sid": _quoted(report.session),
            "st": "v",
        },
        "CMCD-Status": {"bs": report.starved},
    }


def _written(keys: dict[str, Value]) -> str:
    """`key=value` pairs; true is the bare key, false and None are nothing."""
    shown = {key: value for key, value in sorted(keys.items()) if value is not None and value is not False}
    return ",".join(key if value is True else f"{key}={value}" for key, value in shown.items())


def _hundreds(value: float) -> int:
    return round(value / 100) * 100


def _quoted(text: str) -> str:
    escaped = text[:64].replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
