"""What each appliance holds of a title, from inventories.

Pure. Bitmaps are not kept: steering needs only how much of a title is where. Since steering knows no
catalog, a title is as large as the fleet's inventories together say: a rendition counts as soon as
any appliance reports it.
"""

from __future__ import annotations

from control.wire import Inventory, RenditionHeld, succession

RenditionKey = tuple[str, str]


class TitleSizes:
    """Objects of every rendition known to the fleet, and how many appliances report it."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, tuple[int, int]]] = {}

    def __repr__(self) -> str:
        return f"<TitleSizes of {len(self._known)} titles>"

    def objects(self, title: str) -> int:
        """Objects of all known renditions of `title`; 0 when nobody reports it."""
        return sum(total for total, _ in self._known.get(title, {}).values())

    def renditions(self, title: str) -> int:
        """Known renditions of `title`."""
        return len(self._known.get(title, {}))

    def reported(self, title: str, rendition: str, objects_total: int) -> None:
        """One more appliance reports the rendition."""
        renditions = self._known.setdefault(title, {})
        total, reporters = renditions.get(rendition, (0, 0))
        renditions[rendition] = (max(total, objects_total), reporters + 1)

    def withdrawn(self, title: str, rendition: str) -> None:
        """One appliance less reports it; forgotten with the last."""
        renditions = self._known[title]
        total, reporters = renditions[rendition]
        assert reporters >= 1, (title, rendition, reporters)
        if reporters > 1:
            renditions[rendition] = (total, reporters - 1)
            return
        del renditions[rendition]
        if not renditions:
            del self._known[title]


class Holdings:
    """One appliance's inventory: objects held per rendition, kept in step with the fleet's `sizes`."""

    def __init__(self, sizes: TitleSizes) -> None:
        self.marker: tuple[float, int] | None = None
        """(epoch, sequence) of the last inventory applied."""
        self.bytes_held = 0
        self._sizes = sizes
        self._titles: dict[str, dict[str, tuple[int, int]]] = {}
        self._count = 0

    def __repr__(self) -> str:
        return f"<Holdings of {self._count} renditions, {self.bytes_held} bytes>"

    @property
    def renditions(self) -> int:
        """Renditions of which something is held."""
        return self._count

    @property
    def titles(self) -> int:
        """Titles of which something is held."""
        return len(self._titles)

    def share(self, title: str) -> float:
        """Objects held of `title` as a share of those known to the fleet: 1 complete, 0 nothing."""
        held = sum(objects for objects, _ in self._titles.get(title, {}).values())
        known = self._sizes.objects(title)
        return min(held / known, 1.0) if known else 0.0

    def apply(self, inventory: Inventory) -> str:
        """Take `inventory` if it is next; `take`, `stale` or `gap` as `control.wire.succession` says."""
        verdict = succession(self.marker, inventory)
        if verdict != "take":
            return verdict
        if inventory.full:
            self.clear()
        for title, rendition in inventory.gone:
            self._drop(title, rendition)
        for row in inventory.held:
            self._put(row)
        self.marker = (inventory.epoch, inventory.sequence)
        return verdict

    def clear(self) -> None:
        """Hold nothing any more."""
        for title, renditions in self._titles.items():
            for rendition in renditions:
                self._sizes.withdrawn(title, rendition)
        self._titles.clear()
        self._count = 0
        self.bytes_held = 0

    def _put(self, row: RenditionHeld) -> None:
        self._drop(row.title, row.rendition)
        if row.objects_held == 0:
            return
        self._titles.setdefault(row.title, {})[row.rendition] = (row.objects_held, row.bytes_held)
        self._sizes.reported(row.title, row.rendition, row.objects_total)
        self._count += 1
        self.bytes_held += row.bytes_held

    def _drop(self, title: str, rendition: str) -> None:
        renditions = self._titles.get(title, {})
        if rendition not in renditions:
            return
        _, held_bytes = renditions.pop(rendition)
        if not renditions:
            del self._titles[title]
        self._sizes.withdrawn(title, rendition)
        self._count -= 1
        self.bytes_held -= held_bytes
