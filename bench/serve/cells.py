"""What is measured: every combination of size, scheme, state and connections, and the sets of them.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal, get_args

Scheme = Literal["http", "https"]
State = Literal["hot", "cold", "cold20"]

KIB = 1024
MIB = 1024 * 1024
RANGE_BYTES = 64 * KIB
"""This size is asked as a range of a 4 MiB object; the others are whole objects."""
SIZES = (RANGE_BYTES, MIB, 4 * MIB)
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
STATES: tuple[State, ...] = get_args(State)
CONNECTIONS = (32, 1000, 10_000)
COLD_EVERY = 5
"""In the state `cold20` every fifth request is for an object that is not in memory."""


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """One thing to measure. `connections` are open; `active` of them ask at any time, the others are idle."""

    scheme: Scheme
    connections: int
    state: State
    bytes: int

    @property
    def active(self) -> int:
        """Up to a thousand connections ask all the time; of more than that one in a hundred does."""
        return self.connections if self.connections <= 1000 else max(self.connections // 100, 1)

    @property
    def object_bytes(self) -> int:
        """The size of the objects that are asked for."""
        return 4 * MIB if self.bytes == RANGE_BYTES else self.bytes

    @property
    def ranged(self) -> bool:
        """Whether ranges are asked for."""
        return self.bytes == RANGE_BYTES

    def __str__(self) -> str:
        return f"{self.scheme} {human_size(self.bytes)} {self.state}, {self.connections} connections"


def human_size(count: int) -> str:
    """A size for people.

    >>> human_size(65536), human_size(4194304)
    ('64 KiB', '4 MiB')
    """
    return f"{count // MIB} MiB" if count >= MIB else f"{count // KIB} KiB"


def cells(
    *,
    sizes: Iterable[int] = SIZES,
    schemes: Iterable[Scheme] = SCHEMES,
    states: Iterable[State] = STATES,
    connections: Iterable[int] = CONNECTIONS,
) -> list[Cell]:
    """Every combination; those that share connections follow each other.

    >>> len(cells())
    54
    """
    return [Cell(*each) for each in product(schemes, connections, states, sizes)]


def order(names: tuple[str, ...], round_number: int) -> Iterator[str]:
    """The order of the servers in a round: each round another begins, so that none always follows the same.

    >>> list(order(("a", "b", "c"), 1))
    ['b', 'c', 'a']
    """
    start = round_number % len(names)
    yield from names[start:] + names[:start]
