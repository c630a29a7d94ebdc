"""What was verified lately, in a bounded memory: the oldest goes first, but what was used since gets one more turn.

Second chance (FIFO-reinsertion): a look-up writes one attribute and moves nothing.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar


class Usable(Protocol):
    """A value that can be marked."""

    used: bool


V = TypeVar("V", bound=Usable)


class Remembered(Generic[V]):
    """Values by name, at most `limit` of them."""

    __slots__ = ("_limit", "_values", "peek")

    def __init__(self, limit: int) -> None:
        assert limit > 0, "a memory that holds nothing remembers nothing"
        self._limit = limit
        self._values: dict[bytes, V] = {}
        self.peek = self._values.get

    def __repr__(self) -> str:
        return f"<Remembered {len(self._values)} of {self._limit}>"

    def __len__(self) -> int:
        return len(self._values)

    def get(self, name: bytes) -> V | None:
        """The value, which counts as used."""
        value = self.peek(name)
        if value is not None:
            value.used = True
        return value

    def keep(self, name: bytes, value: V) -> V:
        """Remember `value`, forgetting another when there is no room."""
        values = self._values
        while len(values) >= self._limit and name not in values:
            oldest = next(iter(values))
            candidate = values.pop(oldest)
            if candidate.used:
                candidate.used = False
                values[oldest] = candidate
        values[name] = value
        return value
