"""How fast one connection is sent to: SO_MAX_PACING_RATE from what the player told. Pure.

After Sammy (Spang et al., SIGCOMM 2023): a player with a full buffer gains nothing from a burst, its
neighbours lose. The rate is 3 times the top bitrate with an empty buffer, 1.5 times with a full one. A player
that told nothing, starts, seeks or starved is not paced; one that told what it considers enough (`rtp`) gets
at most that. What a player tells moves its own rate only, and only between the configured bounds.
"""

from __future__ import annotations

import sys
from typing import Annotated, Final

from control.kit.quantity import BitsPerSecond, Seconds
from control.kit.settings import Settings, setting
from oca.front.cmcd import Cmcd

UNPACED: Final = 2**32 - 1
"""As the kernel writes "no limit" (socket(7): SO_MAX_PACING_RATE, ~0)."""
SO_MAX_PACING_RATE: Final = 47
"""Linux's number, as Python's socket module has no name for it."""
DEADLINE_MARGIN: Final = 1.5
"""How many times faster than just in time an object must come."""

_MEDIA: Final = frozenset(("v", "a", "av", None))


class PacingSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When and how connections are paced."""

    enabled: Annotated[bool, setting("Pace players that send CMCD, so that their bursts leave room for others.")] = (
        False
    )
    least: Annotated[BitsPerSecond, setting("No connection is paced below this.")] = BitsPerSecond(4_000_000)
    most: Annotated[BitsPerSecond, setting("A rate above this is not worth pacing: none is set.")] = BitsPerSecond(
        400_000_000
    )
    empty_factor: Annotated[float, setting("Times the top bitrate with an empty buffer.", ge=1, le=100)] = 3.0
    full_factor: Annotated[float, setting("Times the top bitrate with a full buffer.", ge=1, le=100)] = 1.5
    full_buffer: Annotated[Seconds, setting("A buffer of this length is full.")] = Seconds(30)
    change: Annotated[float, setting("Set a rate anew only when it changes by more than this part.", ge=0, le=1)] = 0.2


def wanted(told: Cmcd | None, settings: PacingSettings) -> int:
    """The rate for a response to a request that told this, in bytes/s; UNPACED without a limit.

    >>> wanted(Cmcd(tb=8000, bl=0), PacingSettings(enabled=True)), wanted(Cmcd(tb=8000, su=True), PacingSettings())
    (3000000, 4294967295)
    """
    if not settings.enabled or told is None or told.su or told.bs or told.ot not in _MEDIA:
        return UNPACED
    kbps = _kbps(told, settings)
    if kbps is None:
        return UNPACED
    bits_per_s = max(kbps * 1000, float(settings.least))
    return UNPACED if bits_per_s > settings.most else min(round(bits_per_s / 8), UNPACED - 1)


def change(current: int, told: Cmcd | None, settings: PacingSettings) -> int | None:
    """The rate to set on a connection now paced at `current` bytes/s; None while it may stay as it is."""
    rate = wanted(told, settings)
    if rate == current:
        return None
    if UNPACED in {rate, current}:
        return rate
    return rate if abs(rate - current) > settings.change * current else None


def option(rate: int) -> bytes:
    """`rate` as setsockopt(SOL_SOCKET, SO_MAX_PACING_RATE) takes it: an unsigned 32-bit number of bytes/s."""
    assert 0 < rate <= UNPACED, rate
    return rate.to_bytes(4, sys.byteorder)


def _kbps(told: Cmcd, settings: PacingSettings) -> float | None:
    """What suffices for this player in kbit/s; None when it did not tell enough to say."""
    bitrate = told.tb or told.br
    if not bitrate:
        return float(told.rtp) if told.rtp else None
    buffered = (told.bl or 0) / 1000
    fullness = min(buffered / settings.full_buffer, 1.0) if settings.full_buffer else 1.0
    factor = settings.empty_factor - max(settings.empty_factor - settings.full_factor, 0.0) * fullness
    rate = factor * max(bitrate, told.br or 0) * max(told.pr or 1.0, 1.0)
    if told.rtp:
        rate = min(rate, told.rtp)
    return max(rate, _in_time(told))


def _in_time(told: Cmcd) -> float:
    """The rate in kbit/s at which the object comes before its deadline, with margin; 0 when not told."""
    if not told.br or not told.d or told.dl is None:
        return 0.0
    return DEADLINE_MARGIN * told.br * told.d / max(told.dl, 1)
