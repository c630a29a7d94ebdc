"""Names, numbers and the base of every message."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

import msgspec

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z"
"""Names of appliances, sites, clusters, titles, renditions and objects.

One alphabet for all: safe as a path segment (no separator, never `.` or `..`), as a file name, and as an
HLS or DASH pathway id (draft-pantos-content-steering: `[A-Za-z0-9._-]`). `\\Z`, because `$` lets a newline pass.
"""

_NAME = re.compile(NAME_PATTERN)

Name = Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)]
Text = Annotated[str, msgspec.Meta(max_length=4096)]
Url = Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s]+\Z", max_length=2048)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Amount = Annotated[float, msgspec.Meta(ge=0)]
Xxh3 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")]
"""XXH3 with 128 bits, in lower-case hexadecimal: guards against accident, not against malice."""
UnixSeconds = Annotated[float, msgspec.Meta(ge=0)]


def is_name(text: str) -> bool:
    """Whether `text` may name an appliance, title, rendition or object.

    >>> is_name("v720-1f3a"), is_name(".."), is_name("a/b")
    (True, False, False)
    """
    return _NAME.fullmatch(text) is not None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what travels alone. `version` is that of the message's own type, not of the product."""

    WIRE_VERSION: ClassVar[int] = 1

    version: Annotated[int, msgspec.Meta(ge=1)] = 1
