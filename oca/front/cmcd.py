"""Common Media Client Data (CTA-5004): what a player says of its request. Pure; strangers write what is read here.

Four header fields, or one query parameter, of comma-separated pairs. What a player writes as the standard
recommends, keys in order, is read by one regular expression for each field; anything else by the tolerant
`pairs`: malformed pairs are dropped, unknown keys set aside, everything has a limit. A Reader belongs to a
connection and remembers the last text of each field, for most are repeated; nothing else is kept.

What a player says shapes its own delivery, never the fleet's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec

FIELD_LIMIT: Final = 2048
"""Bytes a field, or the decoded parameter, may have; a longer one is not read."""
TEXT_LIMIT: Final = 64
"""Characters of `cid` and `sid` (CTA-5004)."""
URL_LIMIT: Final = 1024
"""Characters of `nor` and `nrr`."""
DIGITS_LIMIT: Final = 12
OTHER_LIMIT: Final = 16
"""Unknown keys kept aside for each field."""

Told = dict[str, Any]
"""Fields of Cmcd that were told."""

_PARAMETER: Final = b"CMCD"
_PAIR = re.compile(rb'(?:[^",]|"(?:[^"\\]|\\.)*+"?)++')
_KEY = re.compile(rb"[a-z0-9][A-Za-z0-9._*-]{0,63}")
_DECIMAL = re.compile(rb"\d{1,7}(?:\.\d{1,3})?")
_STRING = re.compile(rb'"((?:[^"\\]|\\["\\])*+)"')


class Cmcd(msgspec.Struct, frozen=True, gc=False):
    """What one request told. None and False: not told. Bitrates and throughputs are kbit/s, times milliseconds."""

    br: int | None = None
    """Bitrate of the object."""
    d: int | None = None
    """Duration of the object."""
    ot: str | None = None
    """Object type: m manifest, i init, v video, a audio, av both, c caption, tt timed text, k key, o other."""
    tb: int | None = None
    """Highest bitrate the player may play."""
    bl: int | None = None
    """Length of the buffer."""
    dl: int | None = None
    """Time until the object's first sample is needed."""
    mtp: int | None = None
    """Throughput the player measured."""
    nor: str | None = None
    """Next object, percent-encoded, relative to this request."""
    nrr: str | None = None
    """Next range: `first-`, `first-last` or `-suffix`."""
    su: bool = False
    """Needed at once: startup, seek or recovery."""
    cid: str | None = None
    """Content."""
    pr: float | None = None
    """Playback rate; 0 is paused."""
    sf: str | None = None
    """Streaming format: d DASH, h HLS, s Smooth, o other."""
    sid: str | None = None
    """Playback session."""
    st: str | None = None
    """Stream type: v on demand, l live."""
    v: int = 1
    """Version of the standard."""
    bs: bool = False
    """The buffer starved since the last request."""
    rtp: int | None = None
    """Throughput that the player considers enough."""
    other: dict[str, str] = {}
    """Unknown keys with their raw values."""


_NOTHING: Final = Cmcd()


class Reader:
    """Reads the fields of one connection's requests; remembers one text for each of the four."""

    __slots__ = ("_parts", "_plain", "_texts")

    def __init__(self) -> None:
        self._texts = _NO_TEXTS
        self._parts: list[tuple[Any, ...] | Told] = _NO_PARTS[:]
        self._plain = True

    def __repr__(self) -> str:
        return f"<Reader {b', '.join(filter(None, self._texts)).decode('latin-1')}>"

    def read(self, headers: Mapping[bytes, bytes], query: bytes = b"") -> Cmcd | None:
        """What a request told in its headers (names in lower case), else in its query; None when nothing."""
        get = headers.get
        texts = [get(b"cmcd-object"), get(b"cmcd-request"), get(b"cmcd-session"), get(b"cmcd-status")]
        if texts == _NO_TEXTS:
            return from_query(query) if _PARAMETER in query else None
        if texts != self._texts:
            self._take(texts)
        if self._plain:
            in_object, in_request, in_session, in_status = self._parts
            return Cmcd(*in_object, *in_request, *in_session, *in_status)
        return _merged(self._parts)

    def _take(self, texts: list[bytes | None]) -> None:
        known, parts, plain = self._texts, self._parts, self._plain
        for index, text in enumerate(texts):
            if text != known[index]:
                part = _NO_PARTS[index] if text is None else _FIELDS[index].plain(text) or pairs(text)
                parts[index] = part
                plain = plain and part.__class__ is tuple
        self._texts = texts
        self._plain = plain or dict not in map(type, parts)


def from_headers(headers: Mapping[bytes, bytes]) -> Cmcd | None:
    """What the four fields tell, names in lower case as `Request.headers` has them; None without any.

    >>> told = from_headers({b"cmcd-request": b"bl=21300,su", b"cmcd-object": b"br=3200,ot=v"})
    >>> told.bl, told.su, told.br, told.ot
    (21300, True, 3200, 'v')
    """
    return Reader().read(headers)


def from_query(query: bytes) -> Cmcd | None:
    """What the parameter `CMCD` tells; None without it. Of several the first counts.

    >>> from_query(b"a=1&CMCD=br%3D3200%2Csu").br
    3200
    """
    for parameter in query.split(b"&"):
        name, _, text = parameter.partition(b"=")
        if name == _PARAMETER:
            return Cmcd(**pairs(unquote_to_bytes(text[: 3 * FIELD_LIMIT + 1])))
    return None


def strip_query(query: bytes) -> bytes:
    """`query` without the parameter CMCD, for keys and logs.

    >>> strip_query(b"a=1&CMCD=br%3D1&b=2"), strip_query(b"CMCD=su")
    (b'a=1&b=2', b'')
    """
    if _PARAMETER not in query:
        return query
    return b"&".join(part for part in query.split(b"&") if part.partition(b"=")[0] != _PARAMETER)


def pairs(text: bytes) -> Told:
    """The pairs of one field, in any order and shape. A key given twice has its last good value (RFC 9651, 3.2)."""
    if len(text) > FIELD_LIMIT:
        return {}
    told: Told = {}
    other: dict[str, str] = {}
    for pair in _PAIR.findall(text):
        key, equals, value = pair.strip(b" \t").partition(b"=")
        kind = _KINDS.get(key)
        if kind is None:
            if len(other) < OTHER_LIMIT and _KEY.fullmatch(key):
                other[key.decode("ascii")] = value.decode("latin-1") if equals else "?1"
            continue
        read = kind(_first_member(value) if value.startswith(b"(") else value if equals else b"?1")
        if read is not None:
            told[key.decode("ascii")] = read
    if other:
        told["other"] = other
    return told


def _first_member(value: bytes) -> bytes:
    """The first member of an inner list (RFC 9651, 3.1.1), as version 2 of the standard writes some keys."""
    return value[1:].lstrip(b" ").partition(b")")[0].partition(b" ")[0].partition(b";")[0]


def _merged(parts: list[tuple[Any, ...] | Told]) -> Cmcd:
    told: Told = {}
    other: dict[str, str] = {}
    for field, part in zip(_FIELDS, parts, strict=True):
        if isinstance(part, tuple):
            pairs_told = zip(field.names, part, strict=True)
            told.update((name, value) for name, value in pairs_told if value != getattr(_NOTHING, name))
        else:
            other.update(part.get("other", {}))
            told.update(part)
    return Cmcd(**{**told, "other": other})


# -- fields in the recommended form: known keys, each once, in alphabetical order ------------------------------


class _Field:
    """One header field: `plain` gives the values of `names`, None when the text is not in the plain form.

    The plain form is bounded by its own limits, so its texts are below about twice FIELD_LIMIT.
    """

    def __init__(self, names: str, read: Callable[[tuple[Any, ...]], tuple[Any, ...]]) -> None:
        self.names = names.split()
        self._match = re.compile(b"".join(_group(name) for name in self.names)).fullmatch
        self._read = read

    def plain(self, text: bytes) -> tuple[Any, ...] | None:
        match = self._match(text)
        return None if match is None else self._read(match.groups())


def _group(name: str) -> bytes:
    kind = _KINDS[name.encode()]
    if kind is _flag:
        return b"(?:(%b)(?:,|$))?+" % name.encode()
    return b"(?:%b=%b(?:,|$))?+" % (name.encode(), _PLAIN[kind])


_Groups = tuple[Any, ...]


def _object(groups: _Groups) -> _Groups:
    br, d, ot, tb = groups
    return br and int(br), d and int(d), ot and ot.decode(), tb and int(tb)


def _request(groups: _Groups) -> _Groups:
    bl, dl, mtp, nor, nrr, su = groups
    next_object, next_range = nor and nor.decode("latin-1"), nrr and nrr.decode("latin-1")
    return bl and int(bl), dl and int(dl), mtp and int(mtp), next_object, next_range, su is not None


def _session(groups: _Groups) -> _Groups:
    cid, pr, sf, sid, st, v = groups
    content, session = cid and cid.decode("latin-1"), sid and sid.decode("latin-1")
    return content, pr and float(pr), sf and sf.decode(), session, st and st.decode(), int(v) if v else 1


def _status(groups: _Groups) -> _Groups:
    bs, rtp = groups
    return bs is not None, rtp and int(rtp)


# -- values ----------------------------------------------------------------------------------------------------


def _integer(value: bytes) -> int | None:
    return int(value) if value.isdigit() and len(value) <= DIGITS_LIMIT else None


def _flag(value: bytes) -> bool | None:
    return {b"?1": True, b"true": True, b"?0": False, b"false": False}.get(value)


def _decimal(value: bytes) -> float | None:
    return float(value) if _DECIMAL.fullmatch(value) else None


def _string(value: bytes, limit: int) -> str | None:
    match = _STRING.fullmatch(value)
    if match is None:
        return None
    text = re.sub(rb"\\(.)", rb"\1", match.group(1)).decode("latin-1")
    return text if 0 < len(text) <= limit else None


def _text(value: bytes) -> str | None:
    return _string(value, TEXT_LIMIT)


def _url(value: bytes) -> str | None:
    return _string(value, URL_LIMIT)


def _word(value: bytes) -> str | None:
    return value.decode() if value in _WORDS else None


_WORDS: Final = b"a av c d h i k l m o s tt v".split()
_KINDS: Final[dict[bytes, Callable[[bytes], int | float | str | None]]] = {
    **dict.fromkeys((b"br", b"bl", b"d", b"dl", b"mtp", b"rtp", b"tb", b"v"), _integer),
    **dict.fromkeys((b"bs", b"su"), _flag),
    **dict.fromkeys((b"cid", b"sid"), _text),
    **dict.fromkeys((b"nor", b"nrr"), _url),
    **dict.fromkeys((b"ot", b"sf", b"st"), _word),
    b"pr": _decimal,
}
_PLAIN: Final[dict[Any, bytes]] = {
    _integer: rb"(\d{1,%d}+)" % DIGITS_LIMIT,
    _text: rb'"([^"\\]{1,%d}+)"' % TEXT_LIMIT,
    _url: rb'"([^"\\]{1,%d}+)"' % URL_LIMIT,
    _word: b"(" + b"|".join(_WORDS) + b")",
    _decimal: b"(" + _DECIMAL.pattern + b")",
}
_FIELDS: Final = (
    _Field("br d ot tb", _object),
    _Field("bl dl mtp nor nrr su", _request),
    _Field("cid pr sf sid st v", _session),
    _Field("bs rtp", _status),
)
_NO_TEXTS: Final[list[bytes | None]] = [None] * len(_FIELDS)
_NO_PARTS: Final[list[tuple[Any, ...] | Told]] = [field.plain(b"") or {} for field in _FIELDS]
