"""The catalog as control last showed it. Polled whole, page by page; kept in the books for when control is away."""

from __future__ import annotations

from control.kit.client import ServiceClient
from control.kit.clock import Clock
from control.kit.errors import UnreachableError
from control.kit.logs import get_logger
from control.kit.metrics import Meter
from control.wire import CatalogPage, Title, decode
from fill.books import Books

PAGE_TITLES = 200
RETRY_S = 1.0
"""Pause after a failure, where the interval is longer: control that comes back is noticed soon."""


class Catalog:
    """All titles. `version` grows with every change; 0 means that no catalog was ever seen."""

    def __init__(
        self, control: ServiceClient, books: Books, *, clock: Clock, meter: Meter, interval_s: float, limit: int
    ) -> None:
        self.titles: tuple[Title, ...] = books.titles()
        self._by_id = {title.id: title for title in self.titles}
        self.version = 1 if self.titles else 0
        self.seen_at: float | None = None
        """When control last answered, in Unix seconds; None: not since we started."""
        self.error = ""
        self._control = control
        self._books = books
        self._clock = clock
        self._meter = meter
        self._interval_s = interval_s
        self._limit = limit
        self._due_at = 0.0
        self._log = get_logger()

    def __repr__(self) -> str:
        return f"<Catalog of {len(self.titles)} titles, version {self.version}>"

    def find(self, title: str) -> Title | None:
        """The title called `title`, or None."""
        return self._by_id.get(title)

    async def tick(self) -> None:
        """Poll if it is time. That control is away is no failure of ours: it is said once, and asked again soon."""
        now = self._clock.monotonic()
        if now < self._due_at:
            return
        before = self.error
        try:
            await self.poll()
        except UnreachableError as error:
            self._due_at = now + min(RETRY_S, self._interval_s)
            if self.error != before:
                self._log.warning("catalog_unavailable", error=str(error), titles=len(self.titles))
            return
        self._due_at = now + self._interval_s
        if before:
            self._log.info("catalog_available", titles=len(self.titles))

    async def poll(self) -> None:
        """Ask control for everything. Raises UnreachableError; what was known stays."""
        try:
            titles = await self._all()
        except UnreachableError as error:
            self.error = str(error)
            self._meter.inc("oca_fill_catalog_failures_total")
            raise
        self.error, self.seen_at = "", self._clock.now()
        if titles != self.titles or not self.version:
            await self._changed(titles)
        self._meter.set("oca_fill_titles", len(self.titles))

    async def _changed(self, titles: tuple[Title, ...]) -> None:
        if not titles and self.titles:
            self.error = f"control shows an empty catalog; keeping the {len(self.titles)} titles it had"
            raise UnreachableError(self.error)
        await self._books.keep_titles(titles)
        self._log.info("catalog_changed", titles=len(titles), before=len(self.titles))
        self.titles = titles
        self._by_id = {title.id: title for title in titles}
        self.version += 1

    async def _all(self) -> tuple[Title, ...]:
        found: dict[str, Title] = {}
        after: str | None = None
        while True:
            page = await self._page(after)
            found |= {title.id: title for title in page.titles}
            if len(found) > self._limit:
                raise UnreachableError(f"control has more than {self._limit} titles; raise limits.titles")
            if page.next_after is None:
                return tuple(found[name] for name in sorted(found))
            if after is not None and page.next_after <= after:
                raise UnreachableError(f"control's catalog goes in circles: {page.next_after!r} after {after!r}")
            after = page.next_after

    async def _page(self, after: str | None) -> CatalogPage:
        params = {"limit": str(PAGE_TITLES)} | ({"after": after} if after is not None else {})
        return await self._control.get("/v1/titles", lambda body: decode(body, CatalogPage), params=params)
