"""Which sources are left alone for a while: those that lied, and those that cannot be reached. Pure.

A source that sent wrong bytes is not asked for minutes; one that cannot be reached for a second or so, so
that a dead origin costs one connection attempt a second and not one per miss.
"""

from __future__ import annotations

from collections.abc import Iterable

from control.wire import Source
from oca.upstream.faults import LyingError, SourceError, UnavailableError


class Trust:
    """What is held against each source, by its name. Bounded by the number of sources plans name."""

    def __init__(self, *, distrust_s: float, backoff_s: float, limit: int = 1024) -> None:
        self._distrust_s = distrust_s
        self._backoff_s = backoff_s
        self._limit = limit
        self._until: dict[str, tuple[float, str]] = {}

    def __repr__(self) -> str:
        return f"<Trust: {len(self._until)} sources left alone>"

    def note(self, fault: SourceError, now: float) -> None:
        """`fault` happened at `now` (monotonic seconds)."""
        held_s = {LyingError: self._distrust_s, UnavailableError: self._backoff_s}.get(type(fault))
        if held_s is None:
            return
        until, _ = self._until.get(fault.source, (0.0, ""))
        if now + held_s > until:
            self._until[fault.source] = (now + held_s, fault.words)
        if len(self._until) > self._limit:
            self._until = {name: mark for name, mark in self._until.items() if mark[0] > now}

    def clear(self, name: str) -> None:
        """`name` delivered."""
        self._until.pop(name, None)

    def against(self, name: str, now: float) -> str:
        """Why `name` is not asked at `now`; empty when it may be."""
        until, words = self._until.get(name, (0.0, ""))
        return words if until > now else ""

    def sift(self, sources: Iterable[Source], now: float) -> tuple[list[Source], list[str]]:
        """The sources that may be asked, and what is held against the others."""
        may, held = [], []
        for source in sources:
            words = self.against(source.name, now)
            if words:
                held.append(f"{source.name}: {words}")
            else:
                may.append(source)
        return may, held
