"""How far the plan has got, as fill reports and people are told."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Literal

from control.wire import FillPlan, FillReport, Hold, Source
from oca.store.books import Books
from oca.store.layout import RenditionKey

ERRORS_KEPT = 8

State = Literal["waiting", "running", "done", "failed"]


class Progress:
    """Counts of one plan. Totals come from the books, so they are right after a crash too."""

    def __init__(self, plan: FillPlan, holds: list[Hold], left_out: list[Hold], before: Progress | None = None) -> None:
        self.plan = plan
        self.holds = holds
        self.state: State = "waiting"
        same = before is not None and before.plan.id == plan.id
        self.bytes_by_source: dict[str, int] = before.bytes_by_source if before is not None and same else {}
        self._errors: OrderedDict[str, None] = OrderedDict()
        if left_out:
            self.error(f"{len(left_out)} renditions of the plan do not fit on the disks that are usable")

    def __repr__(self) -> str:
        return f"<Progress of {self.plan.id}: {self.state}>"

    def received(self, source: Source, count: int) -> None:
        """`count` bytes came from `source`."""
        name = f"{source.kind}:{source.name}"
        self.bytes_by_source[name] = self.bytes_by_source.get(name, 0) + count

    def error(self, words: str) -> None:
        """Something went wrong; the latest few are reported, each once."""
        self._errors[words[:500]] = None
        self._errors.move_to_end(words[:500])
        while len(self._errors) > ERRORS_KEPT:
            self._errors.popitem(last=False)

    def report(self, books: Books, *, me: str, now: float) -> FillReport:
        """The totals as of now."""
        done, bytes_done = _held(self.holds, books)
        return FillReport(
            appliance=me,
            plan=self.plan.id,
            state=self.state,
            at=now,
            objects_total=sum(hold.objects for hold in self.holds),
            objects_done=done,
            bytes_total=sum(hold.bytes + hold.index_bytes for hold in self.holds),
            bytes_done=bytes_done,
            bytes_by_source=dict(self.bytes_by_source),
            errors=tuple(self._errors),
        )


def _held(holds: Iterable[Hold], books: Books) -> tuple[int, int]:
    objects = size = 0
    for hold in holds:
        entry = books.get(RenditionKey(hold.title, hold.rendition))
        if entry is not None:
            objects += entry.objects_held
            size += entry.bytes_held + entry.index_bytes
    return objects, size
