"""When what happens in the demo's playback, from the length of the title. Pure."""

from __future__ import annotations

import msgspec

KILL_AT_MS = 10_000
PLAY_ON_MS = 12_000
RESUMED_MS = 6_000
BUFFER_S = 8.0


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """Positions in milliseconds of the title, and how far ahead the player may buffer.

    The buffer is short of the title's end when the appliance is killed, or there would be nothing left to fetch
    from another.
    """

    kill_at_ms: int
    stop_at_ms: int
    end_at_ms: int
    buffer_s: float


def script_for(duration_ms: int) -> Script:
    """The script for a title of `duration_ms`, shorter acts for a short one.

    >>> script_for(60_000)
    Script(kill_at_ms=10000, stop_at_ms=22000, end_at_ms=28000, buffer_s=8.0)
    >>> script_for(24_000)
    Script(kill_at_ms=4800, stop_at_ms=14400, end_at_ms=20400, buffer_s=4.8)
    """
    kill_at = min(KILL_AT_MS, duration_ms // 5)
    stop_at = min(kill_at + PLAY_ON_MS, duration_ms * 3 // 5)
    end_at = min(stop_at + RESUMED_MS, duration_ms * 9 // 10)
    return Script(
        kill_at_ms=kill_at,
        stop_at_ms=stop_at,
        end_at_ms=end_at,
        buffer_s=min(BUFFER_S, duration_ms / 5000),
    )
