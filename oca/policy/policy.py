"""What an eviction policy is: it is told what is held and what is asked for, and names victims.

Pure: no clock, no randomness, no I/O; `now` is an argument. A policy works on renditions. It never removes
anything: the caller removes the victims it was given and says so with `forget`.

What stands above a policy is the plan: `Standing` says so, and every policy obeys the same order, which
`tests/oca/policy/test_contract.py` holds it to: doomed first, then free ones by the policy's own judgement,
then planned ones (least value first), and pinned ones last.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple, Protocol, TypeVar

K = TypeVar("K")


class Standing(IntEnum):
    """How well a rendition is protected. A lower one goes first."""

    DOOMED = 0
    """The plan says that it may go."""
    FREE = 1
    """No plan names it: it is here because viewers asked for it."""
    PLANNED = 2
    """The plan holds it."""
    PINNED = 3
    """The plan holds it whatever happens."""


class Victim(NamedTuple):
    """A rendition to remove, and the bytes that frees."""

    key: tuple[str, str]
    bytes: int
    standing: Standing


Spared = Callable[[tuple[str, str]], bool]
"""Whether a rendition must not go now: it is being fetched."""


class Policy(Protocol):
    """An eviction policy. Costs per call do not grow with what is held, but for `evict`: with its victims."""

    name: str

    def track(self, key: tuple[str, str], size: int, now: float) -> None:
        """`key` takes `size` bytes now; new or changed."""

    def touch(self, key: tuple[str, str], requests: int, size: int, now: float) -> None:
        """`key` was asked for `requests` times, `size` bytes in all. Ignored when it is not tracked."""

    def judge(self, key: tuple[str, str], standing: Standing, value: float) -> None:
        """The plan's word on `key`, tracked or not yet. `value` orders planned ones."""

    def forget(self, key: tuple[str, str]) -> None:
        """`key` is gone. Its standing is kept: the plan may bring it back."""

    def evict(self, wanted: int, spared: Spared, upto: Standing = Standing.PINNED) -> list[Victim]:
        """Victims that free at least `wanted` bytes, first to go first; fewer when there are no more.

        None stands higher than `upto`. They stay tracked until `forget`.
        """

    def audit(self) -> None:
        """Assert that the policy's own books agree."""
