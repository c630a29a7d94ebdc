"""When to stop asking a service that does not answer. Pure: the time is an argument.

Thin form of Hystrix' circuit breaker: `failures` in a row open it; after `open_s` one attempt may try, and its outcome
closes it or opens it again.
"""

from __future__ import annotations


class Breaker:
    """One per service asked. `allows` before asking, then `succeeded` or `failed`."""

    def __init__(self, *, failures: int = 3, open_s: float = 2.0) -> None:
        assert failures > 0
        self._limit = failures
        self._open_s = open_s
        self._failures = 0
        self._open_until = 0.0

    def __repr__(self) -> str:
        return f"<Breaker {'open' if self.is_open else 'closed'}, {self._failures} failures in a row>"

    @property
    def is_open(self) -> bool:
        """Whether the last attempts all failed."""
        return self._failures >= self._limit

    def allows(self, now: float) -> bool:
        """Whether to ask now. While open, one attempt per `open_s`: the one that gets True here."""
        if not self.is_open:
            return True
        if now < self._open_until:
            return False
        self._open_until = now + self._open_s
        return True

    def succeeded(self) -> None:
        """It answered."""
        self._failures = 0

    def failed(self, now: float) -> None:
        """It did not."""
        self._failures += 1
        if self.is_open:
            self._open_until = now + self._open_s
