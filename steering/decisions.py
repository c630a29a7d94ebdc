"""The decisions made lately, so that an operator can ask later why a viewer was sent somewhere.

A bounded ring in memory; the oldest goes first. Nothing here decides.
"""

from __future__ import annotations

import itertools
import random
from collections import OrderedDict

from control.wire import SteeringDecision


class Decisions:
    """The last `limit` decisions by id. Ids are unique across restarts and replicas, with high probability."""

    def __init__(self, limit: int, rng: random.Random) -> None:
        assert limit >= 1, limit
        self._limit = limit
        self._life = f"{rng.getrandbits(48):012x}"
        self._numbers = itertools.count(1)
        self._kept: OrderedDict[str, SteeringDecision] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Decisions {len(self._kept)} of {self._limit}>"

    def __len__(self) -> int:
        return len(self._kept)

    def next_id(self) -> str:
        """An id that no decision has."""
        return f"d-{self._life}-{next(self._numbers)}"

    def keep(self, decision: SteeringDecision) -> None:
        """Remember `decision`, forgetting the oldest beyond the limit."""
        self._kept[decision.id] = decision
        if len(self._kept) > self._limit:
            self._kept.popitem(last=False)

    def find(self, decision_id: str) -> SteeringDecision | None:
        """The decision called `decision_id` if it is still remembered."""
        return self._kept.get(decision_id)
