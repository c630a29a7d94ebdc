"""CBOR (RFC 8949) as tokens need it: small, strict, bounded. Pure.

One text has one reading: lengths and integers in their shortest form, no indefinite lengths, no key twice in
a map, valid UTF-8, nothing after the end. Maps may be in any order, as tokens of other makers are; what is
written here is in the core deterministic order (RFC 8949, 4.2.1). A general library accepts more than a
verifier should and runs decoders of its own for tags, so this is ours.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any, Final

import msgspec

DEPTH_LIMIT: Final = 8
ITEMS_LIMIT: Final = 1024
SIZE_LIMIT: Final = 16 * 1024
"""Bytes of a text; callers with a smaller limit check it themselves."""

_FLOATS: Final = {25: ">e", 26: ">f", 27: ">d"}
_SIMPLE: Final[dict[int, bool | None]] = {20: False, 21: True, 22: None}
_LEAST: Final = {24: 24, 25: 1 << 8, 26: 1 << 16, 27: 1 << 32}
"""The smallest number that needs each width."""


class CborError(ValueError):
    """A text that is not CBOR, or not the strict form that is read here."""


class Tag(msgspec.Struct, frozen=True):
    """A tagged value (RFC 8949, 3.4); its meaning is the reader's business."""

    number: int
    value: Any


def decode(text: bytes) -> Any:
    """The one value in `text`: int, float, bytes, str, bool, None, tuple, dict or Tag. Raises CborError.

    >>> decode(bytes.fromhex("a201020326")), decode(bytes.fromhex("820161 61".replace(" ", "")))
    ({1: 2, 3: -7}, (1, 'a'))
    """
    if len(text) > SIZE_LIMIT:
        raise CborError(f"longer than {SIZE_LIMIT} bytes")
    reader = _Reader(text)
    value = reader.value(DEPTH_LIMIT)
    if reader.at != len(text):
        raise CborError("bytes after the end")
    return value


def encode(value: Any) -> bytes:
    """`value` in core deterministic encoding. Raises CborError for what has none.

    >>> encode({3: -7, 1: 2}).hex()
    'a201020326'
    """
    encoder = _ENCODERS.get(type(value))
    if encoder is None:
        raise CborError(f"{type(value).__name__} has no CBOR form here")
    return encoder(value)


class _Reader:
    """Reads one text; `at` is how far."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.at = 0
        self.items = 0

    def value(self, depth: int) -> Any:
        self.items += 1
        if self.items > ITEMS_LIMIT:
            raise CborError(f"more than {ITEMS_LIMIT} items")
        if not depth:
            raise CborError(f"nested more than {DEPTH_LIMIT} deep")
        (initial,) = self.take(1)
        kind, low = initial >> 5, initial & 31
        if kind == 7:
            return self.simple_or_float(low)
        number = self.number(low)
        if kind <= 1:
            return number if kind == 0 else -1 - number
        if kind == 2:
            return self.take(number)
        if kind == 3:
            return _utf8(self.take(number))
        if kind == 6:
            return Tag(number, self.value(depth - 1))
        return self.array(number, depth - 1) if kind == 4 else self.map(number, depth - 1)

    def take(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self.text):
            raise CborError("cut off")
        piece = self.text[self.at : end]
        self.at = end
        return piece

    def number(self, low: int) -> int:
        if low < 24:
            return low
        if low > 27:
            raise CborError("an indefinite or reserved length")
        number = int.from_bytes(self.take(1 << (low - 24)), "big")
        if number < _LEAST[low]:
            raise CborError("a number longer than it need be")
        return number

    def array(self, count: int, depth: int) -> tuple[Any, ...]:
        if count > ITEMS_LIMIT:
            raise CborError(f"more than {ITEMS_LIMIT} items")
        return tuple([self.value(depth) for _ in range(count)])

    def map(self, count: int, depth: int) -> dict[Any, Any]:
        if count > ITEMS_LIMIT:
            raise CborError(f"more than {ITEMS_LIMIT} items")
        entries: dict[Any, Any] = {}
        for _ in range(count):
            key = self.value(depth)
            if isinstance(key, bool) or not isinstance(key, (int, str, bytes)):
                raise CborError("a map key that is neither integer nor string")
            if key in entries:
                raise CborError("a map key twice")
            entries[key] = self.value(depth)
        return entries

    def simple_or_float(self, low: int) -> float | bool | None:
        if low in _SIMPLE:
            return _SIMPLE[low]
        if low not in _FLOATS:
            raise CborError("a simple value without meaning here")
        number: float
        (number,) = struct.unpack(_FLOATS[low], self.take(1 << (low - 24)))
        if not math.isfinite(number):
            raise CborError("a number that is none")
        return number


def _utf8(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise CborError("text that is not UTF-8") from error


def _head(kind: int, number: int) -> bytes:
    if number < 24:
        return bytes((kind << 5 | number,))
    for low, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 1 << (8 * width):
            return bytes((kind << 5 | low,)) + number.to_bytes(width, "big")
    raise CborError("an integer of more than 64 bits")


def _encoded_integer(number: int) -> bytes:
    return _head(0, number) if number >= 0 else _head(1, -1 - number)


def _encoded_text(value: str) -> bytes:
    text = value.encode()
    return _head(3, len(text)) + text


def _encoded_array(values: tuple[Any, ...] | list[Any]) -> bytes:
    return _head(4, len(values)) + b"".join(map(encode, values))


def _encoded_map(entries: dict[Any, Any]) -> bytes:
    texts = sorted((encode(key), encode(value)) for key, value in entries.items())
    return _head(5, len(texts)) + b"".join(key + value for key, value in texts)


def _encoded_float(number: float) -> bytes:
    if not math.isfinite(number):
        raise CborError("a number that is none")
    for low, form in _FLOATS.items():
        try:
            text = struct.pack(form, number)
        except OverflowError:
            continue
        if struct.unpack(form, text)[0] == number:
            return bytes((7 << 5 | low,)) + text
    raise AssertionError(f"{number} is no double")


_ENCODERS: Final[dict[type, Callable[[Any], bytes]]] = {
    type(None): lambda _: b"\xf6",
    bool: lambda value: b"\xf5" if value else b"\xf4",
    int: _encoded_integer,
    float: _encoded_float,
    bytes: lambda value: _head(2, len(value)) + value,
    str: _encoded_text,
    tuple: _encoded_array,
    list: _encoded_array,
    dict: _encoded_map,
    Tag: lambda tag: _head(6, tag.number) + encode(tag.value),
}
