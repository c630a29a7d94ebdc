"""Quantities a person writes in a configuration: `2GiB`, `5s`, `1.2Gbps`."""

from __future__ import annotations

import math
import re

_SHAPE = re.compile(r"^\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*\Z")

_BYTES = {"": 1, "b": 1}
_BYTES |= {f"{letter}ib": 1024 ** (power + 1) for power, letter in enumerate("kmgtp")}
_BYTES |= {f"{letter}b": 1000 ** (power + 1) for power, letter in enumerate("kmgtp")}
_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_RATES = {"": 1, "bps": 1} | {f"{letter}bps": 1000 ** (power + 1) for power, letter in enumerate("kmgt")}


class Bytes(int):
    """A size in bytes; written as a number or with B, kB, KiB, … PB, PiB."""

    example = "2GiB"

    @classmethod
    def parse(cls, value: object) -> Bytes:
        """From a number or a text such as `1.5GiB`. Raises ValueError.

        >>> Bytes.parse("2KiB"), Bytes.parse(10)
        (2048, 10)
        """
        return cls(_scaled(value, _BYTES, "a size such as 500MB or 2GiB"))


class Seconds(float):
    """A duration in seconds; written as a number or with ms, s, m, h, d."""

    example = "30s"

    @classmethod
    def parse(cls, value: object) -> Seconds:
        """From a number or a text such as `12h`. Raises ValueError."""
        return cls(_scaled(value, _SECONDS, "a duration such as 500ms, 30s or 12h"))


class BitsPerSecond(int):
    """A rate in bit/s; written as a number or with bps, kbps, Mbps, Gbps, Tbps."""

    example = "1.2Gbps"

    @classmethod
    def parse(cls, value: object) -> BitsPerSecond:
        """From a number or a text such as `1.2Gbps`. Raises ValueError."""
        return cls(_scaled(value, _RATES, "a rate such as 800Mbps or 1.2Gbps"))


def _scaled(value: object, units: dict[str, int] | dict[str, float], wanted: str) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise ValueError(f"{value} is not {wanted}")
        if value < 0:
            raise ValueError(f"{value} is negative; give {wanted}")
        return value
    match = _SHAPE.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is not {wanted}")
    number, unit = match.groups()
    factor = units.get(unit.lower())
    if factor is None:
        raise ValueError(f"{value!r} has the unknown unit {unit!r}; give {wanted}")
    scaled = float(number) * factor
    if not math.isfinite(scaled):
        raise ValueError(f"{value!r} is too large; give {wanted}")
    return scaled


def human_bytes(count: float) -> str:
    """Bytes for a person, in decimal units as disks are sold.

    >>> human_bytes(1_234_567)
    '1.23 MB'
    """
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} PB"


def human_rate(bits_per_s: float) -> str:
    """A rate for a person.

    >>> human_rate(1_200_000_000)
    '1.2 Gbit/s'
    """
    for unit in ("bit/s", "kbit/s", "Mbit/s", "Gbit/s"):
        if abs(bits_per_s) < 1000:
            return f"{bits_per_s:.3g} {unit}"
        bits_per_s /= 1000
    return f"{bits_per_s:.3g} Tbit/s"
