"""What was answered with no, for a short while: so that what does not exist is not asked for again. Pure."""

from __future__ import annotations

from collections import OrderedDict

from oca.store.layout import RenditionKey
from oca.upstream.faults import RefusedError


class Negative:
    """Refusals by rendition, the oldest dropped first beyond `entries`."""

    def __init__(self, *, ttl_s: float, entries: int) -> None:
        self._ttl_s = ttl_s
        self._limit = entries
        self._until: OrderedDict[RenditionKey, tuple[float, RefusedError]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def note(self, key: RenditionKey, refusal: RefusedError, now: float) -> None:
        """`key` was refused at `now` (monotonic seconds)."""
        self._until[key] = (now + self._ttl_s, refusal)
        self._until.move_to_end(key)
        while len(self._until) > self._limit:
            self._until.popitem(last=False)

    def get(self, key: RenditionKey, now: float) -> RefusedError | None:
        """The refusal of `key` that still holds at `now`."""
        until, refusal = self._until.get(key, (0.0, None))
        if refusal is not None and until <= now:
            del self._until[key]
            return None
        return refusal

    def forget(self, key: RenditionKey) -> None:
        """Ask again for `key` at once: a plan names it now."""
        self._until.pop(key, None)
