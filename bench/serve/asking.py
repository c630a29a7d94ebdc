"""What is asked next: hot and cold objects in turn, whole or by range, evicted before the request where cold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from bench.serve.cells import COLD_EVERY, RANGE_BYTES, Cell, State
from bench.serve.collection import Collection, Eviction, Set
from bench.serve.connections import Target

RANGE_STRIDE = 7
"""Ranges wander over an object in steps of this many: no two requests in a row have the same head."""

Ask = Callable[[], bytes]
"""Gives the next request. Called right before it is sent."""


def cold_turns(state: State) -> Iterator[bool]:
    """Whether each request in turn is for an object that is not in memory, without end.

    >>> turns = cold_turns("cold20")
    >>> [next(turns) for _ in range(6)]
    [True, False, False, False, False, True]
    """
    if state == "hot":
        return cycle((False,))
    if state == "cold":
        return cycle((True,))
    return cycle((True, *(False,) * (COLD_EVERY - 1)))


def ranges(object_bytes: int, size: int) -> list[tuple[int, int]]:
    """Every range [first, end) of `size` bytes of an object, each once, in an order that strides.

    >>> ranges(10, 3)
    [(0, 3), (3, 6), (6, 9)]
    """
    count = object_bytes // size
    stride = RANGE_STRIDE if count % RANGE_STRIDE else 1
    return [(number * stride % count * size, (number * stride % count + 1) * size) for number in range(count)]


@dataclass(frozen=True, slots=True)
class Sources:
    """The objects of a cell: `cold` only where its state has such."""

    hot: Set
    cold: Set | None
    collection: Collection
    eviction: Eviction


def asks(cell: Cell, target: Target, sources: Sources) -> Ask:
    """The requests of `cell`, one for each call."""
    hot, cold = sources.hot, sources.cold
    spans = ranges(cell.object_bytes, RANGE_BYTES) if cell.ranged else [None]
    hot_requests = cycle(_requests(target, hot.paths(), spans))
    if cold is None:
        assert cell.state == "hot", "cold objects are needed"
        return hot_requests.__next__
    files: Iterator[tuple[Path, bytes]] = cycle(
        zip(map(sources.collection.file, cold.paths()), _requests(target, cold.paths(), spans), strict=False)
    )
    turns = cold_turns(cell.state)

    def ask() -> bytes:
        if not next(turns):
            return next(hot_requests)
        path, request = next(files)
        sources.eviction.evict(path)
        return request

    return ask


def _requests(target: Target, paths: Sequence[str], spans: Sequence[tuple[int, int] | None]) -> list[bytes]:
    """A request for every path and, over the whole, every span at least once."""
    count = max(len(paths), len(spans))
    return [target.request(paths[number % len(paths)], spans[number % len(spans)]) for number in range(count)]
