"""What one receiver has been told of what is held, and what to tell it next. Pure.

It is told even that nothing has changed: a receiver that started anew learns from the sequence that it knows
nothing of this appliance, and asks for all.
"""

from __future__ import annotations

from control.wire import Inventory
from oca.store.books import Books


class Holdings:
    """The inventories for one receiver: full first, then what changed, full again when in doubt."""

    def __init__(self, *, appliance: str, epoch: float) -> None:
        self._appliance = appliance
        self._epoch = epoch
        self._sequence = 0
        self._told: int | None = None

    def __repr__(self) -> str:
        return f"<Holdings told up to {self._told}, sequence {self._sequence}>"

    def next(self, books: Books) -> tuple[Inventory, int]:
        """The inventory to send now, empty when nothing has changed, and the change it brings the receiver to."""
        since = books.since(self._told) if self._told is not None else None
        if since is None:
            held = tuple(entry.row() for entry in books if entry.objects_held)
            return self._made(full=True, held=held, gone=()), books.change
        changed, gone = since
        held = tuple(entry.row() for entry in changed if entry.objects_held)
        emptied = [tuple(entry.key) for entry in changed if not entry.objects_held]
        return self._made(full=False, held=held, gone=(*map(tuple, gone), *emptied)), books.change

    def taken(self, change: int) -> None:
        """The receiver took what `next` gave."""
        self._sequence += 1
        self._told = change

    def doubtful(self) -> None:
        """It is not known whether the receiver took it, or it asks for everything: start over."""
        self._sequence += 1
        self._told = None

    def _made(self, *, full: bool, held: tuple, gone: tuple) -> Inventory:  # type: ignore[type-arg]
        return Inventory(
            appliance=self._appliance,
            epoch=self._epoch,
            sequence=self._sequence,
            full=full,
            held=held,
            gone=gone,
        )
