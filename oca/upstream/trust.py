"""Which sources are left alone for a while, and for what. Pure.

- One that cannot be reached is not asked at all for a second or so: a dead origin costs one connection
  attempt a second and not one per miss.
- One that sent wrong bytes of a rendition is not asked for that rendition for minutes. A peer that did is not
  asked for anything: there are others. An origin is the last step for every viewer, so one rotten file must not
  take it away from all of them: it is left alone altogether only when it lied about several renditions.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from control.wire import Source
from oca.store.layout import RenditionKey
from oca.upstream.faults import LyingError, SourceError, UnreachableError

LIES_FORGIVEN = {"cache": 2}
"""Kind of source → renditions it may lie about and still be asked for others."""

MARKS_KEPT = 4096


class Trust:
    """What is held against each source. Times are monotonic seconds."""

    def __init__(self, *, distrust_s: float, backoff_s: float) -> None:
        self._distrust_s = distrust_s
        self._backoff_s = backoff_s
        self._marks: OrderedDict[tuple[str, RenditionKey | None], tuple[float, str]] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Trust: {len(self._marks)} marks>"

    def note(self, source: Source, key: RenditionKey, fault: SourceError, now: float) -> None:
        """`source` failed with `fault` when asked for something of `key`."""
        if isinstance(fault, UnreachableError):
            self._mark(source.name, None, now + self._backoff_s, fault.words)
        elif isinstance(fault, LyingError):
            self._mark(source.name, key, now + self._distrust_s, fault.words)
            lies = sum(
                1 for (name, about), (until, _) in self._marks.items() if name == source.name and about and until > now
            )
            if lies > LIES_FORGIVEN.get(source.kind, 0):
                self._mark(source.name, None, now + self._distrust_s, fault.words)

    def against(self, name: str, key: RenditionKey | None, now: float) -> str:
        """Why the source called `name` is not asked for `key` (None: for anything) now; empty when it may be."""
        for about in {None, key}:
            until, words = self._marks.get((name, about), (0.0, ""))
            if until > now:
                return words
        return ""

    def sift(self, sources: Iterable[Source], key: RenditionKey, now: float) -> tuple[list[Source], list[str]]:
        """The sources that may be asked for `key`, and what is held against the others."""
        may, held = [], []
        for source in sources:
            words = self.against(source.name, key, now)
            if words:
                held.append(f"{source.name}: {words}")
            else:
                may.append(source)
        return may, held

    def _mark(self, name: str, about: RenditionKey | None, until: float, words: str) -> None:
        before, _ = self._marks.get((name, about), (0.0, ""))
        if until > before:
            self._marks[name, about] = (until, words)
            self._marks.move_to_end((name, about))
        while len(self._marks) > MARKS_KEPT:
            self._marks.popitem(last=False)
