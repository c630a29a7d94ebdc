"""Least recently used, by rendition.

For video at chunk level recency dominates, and the plan, not the policy, decides what is kept for its
popularity; the policy rules only over the reserve.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from oca.policy.policy import Spared, Standing, Victim

Key = tuple[str, str]


class Lru:
    """Free and doomed renditions go by the time they were last asked for, planned ones by value."""

    name = "lru"

    def __init__(self) -> None:
        self._sizes: dict[Key, int] = {}
        self._queues: dict[Standing, OrderedDict[Key, None]] = {standing: OrderedDict() for standing in Standing}
        self._standing: dict[Key, tuple[Standing, float]] = {}

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(queue)} {standing.name.lower()}" for standing, queue in self._queues.items())
        return f"<Lru: {counts}>"

    def track(self, key: Key, size: int, now: float) -> None:
        """New ones enter as most recently used; a change of size moves nothing."""
        if key not in self._sizes:
            self._queues[self._of(key)][key] = None
        self._sizes[key] = size

    def touch(self, key: Key, requests: int, size: int, now: float) -> None:
        """Becomes the most recently used."""
        if key in self._sizes:
            self._queues[self._of(key)].move_to_end(key)

    def judge(self, key: Key, standing: Standing, value: float) -> None:
        """Moves between queues, as most recently used of its new one."""
        before = self._of(key)
        if standing is Standing.FREE:
            self._standing.pop(key, None)
        else:
            self._standing[key] = (standing, value)
        if key in self._sizes and standing is not before:
            del self._queues[before][key]
            self._queues[standing][key] = None

    def forget(self, key: Key) -> None:
        """Out of its queue."""
        if self._sizes.pop(key, None) is not None:
            del self._queues[self._of(key)][key]

    def evict(self, wanted: int, spared: Spared, upto: Standing = Standing.PINNED) -> list[Victim]:
        """Queue by queue, each from its oldest or least valuable end."""
        victims: list[Victim] = []
        freed = 0
        for key, standing in self._in_order(upto):
            if freed >= wanted:
                break
            if self._sizes[key] and not spared(key):
                victims.append(Victim(key, self._sizes[key], standing))
                freed += self._sizes[key]
        return victims

    def audit(self) -> None:
        """Every tracked rendition is in exactly the queue of its standing."""
        queued = [key for queue in self._queues.values() for key in queue]
        assert sorted(queued) == sorted(self._sizes), f"{self!r}: queues and sizes disagree"
        for standing, queue in self._queues.items():
            assert all(self._of(key) is standing for key in queue), f"{self!r}: {standing.name} holds a stranger"

    def _of(self, key: Key) -> Standing:
        found = self._standing.get(key)
        return Standing.FREE if found is None else found[0]

    def _in_order(self, upto: Standing) -> Iterator[tuple[Key, Standing]]:
        for standing in (Standing.DOOMED, Standing.FREE):
            if standing <= upto:
                yield from ((key, standing) for key in self._queues[standing])
        for standing in (Standing.PLANNED, Standing.PINNED):
            if standing <= upto:
                ranked = sorted(self._queues[standing], key=lambda key: self._standing[key][1])
                yield from ((key, standing) for key in ranked)
