"""The grammar of HLS playlists (RFC 8216bis, section 4): lines, attribute lists, values.

Pure. Which tags mean what is `hls.py`'s. Everything malformed raises ManifestError with its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bench.player.presentation import URI_LIMIT, ManifestError

TEXT_LIMIT = 16 * 1024 * 1024
"""Characters of one playlist."""

Attributes = dict[str, str]
_FIRST_LINE = re.compile(r"#EXTM3U[ \t]*(\r?\n|$)")
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=(?:"([^"\r\n]*)"|([^",\s]+))(,|$)')
_RANGE = re.compile(r"([0-9]{1,19})(?:@([0-9]{1,19}))?$")
_DECIMAL = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,20})?$")
_RESOLUTION = re.compile(r"([0-9]{1,6})x([0-9]{1,6})$")


def bad(line: int, what: str) -> ManifestError:
    """The error for `line` (from 1)."""
    return ManifestError(f"hls:{line}: {what}")


def lines(text: str) -> Iterator[tuple[int, str, str]]:
    """Line number, tag and value of what matters, comments left out; a URI line has the tag `URI`."""
    if len(text) > TEXT_LIMIT:
        raise bad(1, f"a playlist of {len(text)} characters; at most {TEXT_LIMIT} are read")
    if not _FIRST_LINE.match(text):
        raise bad(1, f"starts with {text[:20]!r}; a playlist starts with #EXTM3U")
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if line.startswith("#EXT"):
            tag, _, value = line[1:].partition(":")
            if tag == "EXT-X-DEFINE":
                raise bad(number, "EXT-X-DEFINE: variables are not supported; write the values out")
            yield number, tag, value
        elif line and not line.startswith("#"):
            yield number, "URI", uri(line, number)


def attributes(value: str, line: int) -> Attributes:
    """An attribute list (4.2), quotes removed.

    >>> attributes('PATHWAY-ID="a,b",BANDWIDTH=5', 1)
    {'PATHWAY-ID': 'a,b', 'BANDWIDTH': '5'}
    """
    found: Attributes = {}
    at = 0
    while at < len(value):
        match = _ATTRIBUTE.match(value, at)
        if match is None or (match.end() == len(value) and match.group(4)):
            raise bad(line, f'{value[at : at + 40]!r} is not an attribute; write NAME=value or NAME="text"')
        name, quoted, plain, _ = match.groups()
        if name in found:
            raise bad(line, f"the attribute {name} is given twice")
        found[name] = plain if quoted is None else quoted
        at = match.end()
    return found


def required(found: Attributes, name: str, line: int) -> str:
    """The attribute `name`, which must be there."""
    if name not in found:
        raise bad(line, f"the attribute {name} is required and missing")
    return found[name]


def uri(value: str, line: int) -> str:
    """A URI of bearable length."""
    if not 0 < len(value) <= URI_LIMIT:
        raise bad(line, f"a URI of {len(value)} characters; 1 to {URI_LIMIT} are read")
    return value


def integer(value: str, name: str, line: int) -> int:
    """A decimal-integer (4.2) above 0."""
    if not re.fullmatch(r"[0-9]{1,19}", value) or int(value) == 0:
        raise bad(line, f"{name} is {value[:40]!r}; a whole number above 0 is wanted")
    return int(value)


def decimal(value: str, name: str, line: int) -> float:
    """A decimal-floating-point (4.2), not negative."""
    if not _DECIMAL.match(value):
        raise bad(line, f"{name} is {value[:40]!r}; seconds such as 4 or 3.989 are wanted")
    return float(value)


def byte_range(value: str, line: int) -> tuple[int, int | None]:
    """Length and offset of `<n>[@<o>]` (4.4.4.2)."""
    match = _RANGE.match(value)
    if match is None or int(match.group(1)) == 0:
        raise bad(line, f"the byte range is {value[:40]!r}; write length@offset, as 1000@0")
    return int(match.group(1)), int(match.group(2)) if match.group(2) is not None else None


def resolution(value: str, line: int) -> tuple[int, int]:
    """Width and height of a decimal-resolution (4.2)."""
    match = _RESOLUTION.match(value)
    if match is None:
        raise bad(line, f"RESOLUTION is {value[:40]!r}; write it as 1280x720")
    return int(match.group(1)), int(match.group(2))
