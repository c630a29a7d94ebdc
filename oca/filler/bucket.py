"""A token bucket that keeps a rate over time. Pure.

Takers never wait for permission, they pay afterwards: `take` says how long to rest. So a chunk larger than
the burst is no special case, and takers that share a bucket share the rate.
"""

from __future__ import annotations


class Bucket:
    """Bytes at `rate_bps` bit/s, with a burst of `burst_s` seconds' worth. A rate of 0 does not limit."""

    def __init__(self, rate_bps: int, *, burst_s: float = 0.25) -> None:
        self.rate_bps = rate_bps
        self._burst_bytes = rate_bps / 8 * burst_s
        self._tokens = self._burst_bytes
        self._at: float | None = None

    def __repr__(self) -> str:
        return f"<Bucket {self.rate_bps} bit/s, {self._tokens:.0f} bytes in hand>"

    def take(self, count: int, now: float) -> float:
        """Take `count` bytes at `now` (monotonic seconds); the seconds to rest before the next.

        >>> bucket = Bucket(8_000, burst_s=1.0)
        >>> bucket.take(1_000, now=0.0), bucket.take(500, now=0.0)
        (0.0, 0.5)
        """
        if self.rate_bps == 0:
            return 0.0
        per_s = self.rate_bps / 8
        if self._at is not None:
            self._tokens = min(self._burst_bytes, self._tokens + (now - self._at) * per_s)
        self._at = now
        self._tokens -= count
        return max(0.0, -self._tokens / per_s)
