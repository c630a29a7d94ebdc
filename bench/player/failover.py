"""Which pathway to use next: what steering prefers, what has failed, and when a failed one may return.

Pure: `now` is an argument. The rules:
- New requests go to the first pathway of steering's list that is not penalised.
- A pathway that fails is penalised. Time alone never brings it back: steering must name it again, after
  the penalty, or after having left it out (so steering itself saw it die and come back).
- An object that is missing does not condemn an appliance; `missing_objects` of them do.
- Pathways that steering does not list, and then penalised ones, are the last resort, not forbidden: trying
  is better than a black screen.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from bench.player.limits import PlayerLimits

FailureKind = Literal["connect", "timeout", "slow", "cut", "length", "corrupt", "server", "busy", "missing"]
"""What went wrong with a request; see `fetch.FetchError`."""


class _Penalty:
    """A pathway's disgrace: until when at least, and whether steering has left it out since."""

    __slots__ = ("left_out", "until")

    def __init__(self, until: float) -> None:
        self.until = until
        self.left_out = False


class Pathways:
    """The pathways of one presentation and their standing."""

    def __init__(self, known: Sequence[str], initial: str, limits: PlayerLimits) -> None:
        assert initial in known, f"the initial pathway {initial} is not among {known}"
        self._known = tuple(known)
        self._priority: tuple[str, ...] = (initial, *(pathway for pathway in known if pathway != initial))
        self._limits = limits
        self._penalties: dict[str, _Penalty] = {}
        self._missing: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<Pathways {' > '.join(self.order())}; penalised {sorted(self._penalties) or 'none'}>"

    @property
    def current(self) -> str:
        """Where new requests go."""
        return self.order()[0]

    def penalised(self, pathway: str) -> bool:
        """Whether `pathway` is used only as a last resort."""
        return pathway in self._penalties

    def order(self) -> tuple[str, ...]:
        """Every known pathway, best first."""
        good = [pathway for pathway in self._priority if pathway not in self._penalties]
        unlisted = [p for p in self._known if p not in self._priority and p not in self._penalties]
        penalised = sorted(self._penalties, key=lambda pathway: self._penalties[pathway].until)
        return (*good, *unlisted, *penalised)

    def next_untried(self, tried: Collection[str]) -> str | None:
        """The best pathway not in `tried`; None when all were."""
        return next((pathway for pathway in self.order() if pathway not in tried), None)

    def failed(self, pathway: str, kind: FailureKind, now: float, *, retry_after_s: float | None = None) -> bool:
        """A request to `pathway` failed. Returns whether that penalised it just now."""
        if kind == "missing":
            self._missing[pathway] = self._missing.get(pathway, 0) + 1
            if self._missing[pathway] < self._limits.missing_objects:
                return False
        until = now + max(self._limits.penalty_s, retry_after_s or 0.0)
        known = self._penalties.get(pathway)
        if known is not None:
            known.until = max(known.until, until)
            return False
        self._penalties[pathway] = _Penalty(until)
        return True

    def steered(self, priority: Sequence[str], now: float) -> None:
        """Steering's list has arrived. Ids that the manifest doesn't have are ignored, as is a list of only those."""
        listed = tuple(dict.fromkeys(pathway for pathway in priority if pathway in self._known))
        if not listed:
            return
        self._priority = listed
        for pathway, penalty in list(self._penalties.items()):
            if pathway not in listed:
                penalty.left_out = True
            elif penalty.left_out or now >= penalty.until:
                del self._penalties[pathway]
                self._missing.pop(pathway, None)
