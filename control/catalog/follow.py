"""Following the origin's catalog: list, fetch what is new, check it, keep it.

The origin being dead is no reason to forget anything. A title that lies is refused by name; the others go on.
"""

from __future__ import annotations

import xxhash

from control.catalog.changes import changes
from control.catalog.store import CatalogStore, digest_of
from control.catalog.verify import RefusedError, check_title, checked_index
from control.kit.client import ServiceClient, ServiceError
from control.kit.clock import Clock
from control.kit.errors import UnreachableError
from control.kit.logs import get_logger
from control.kit.metrics import Meter, Metric
from control.wire import CatalogPage, Title, decode

METRICS = (
    Metric("oca_control_titles", "gauge", "Titles in the catalog"),
    Metric("oca_control_titles_refused", "gauge", "Titles the origin lists that were refused and are not published"),
    Metric("oca_control_title_refusals_total", "counter", "Times a title was refused: it lied about its bytes"),
    Metric("oca_control_titles_missing", "gauge", "Titles kept although the origin lists them no more"),
    Metric("oca_control_catalog_synced_seconds", "gauge", "When the origin's catalog was last followed to its end"),
)

PAGE_LIMIT = 500
PAGES_LIMIT = 10_000


class Follower:
    """Brings the store up to what the origin lists. `poll` is one round."""

    def __init__(
        self, store: CatalogStore, origin: ServiceClient, *, clock: Clock, meter: Meter, refused_again_s: float
    ) -> None:
        self.synced = False
        self._store = store
        self._origin = origin
        self._clock = clock
        self._meter = meter
        self._refused_again_s = refused_again_s
        self._refused: dict[str, tuple[str, float]] = {}
        self._missing: tuple[str, ...] = ()
        self._log = get_logger()

    def __repr__(self) -> str:
        return f"<Follower of {self._origin.base_url}, {len(self._refused)} refused>"

    async def poll(self) -> None:
        """One round. Raises UnreachableError when the origin does not answer; what was kept stays."""
        try:
            listed = await self._listing()
            digests = {title.id: digest_of(title) for title in listed.values()}
            todo = changes(self._store.digests(), digests, self._refused, now=self._clock.monotonic())
            failed = [words for title in todo.take if (words := await self._take(listed[title], digests[title]))]
            if todo.withdraw:
                await self._store.withdraw(todo.withdraw)
                self._log.info("titles_withdrawn", titles=todo.withdraw)
            self._note_missing(todo.missing)
            self._refused = {title: refused for title, refused in self._refused.items() if title in listed}
            if failed:
                raise UnreachableError(f"{len(failed)} titles not fetched, next round again; the first: {failed[0]}")
            self.synced = True
            self._meter.set("oca_control_catalog_synced_seconds", self._clock.now())
        finally:
            self._meter.set("oca_control_titles", self._store.count())
            self._meter.set("oca_control_titles_refused", len(self._refused))

    async def _listing(self) -> dict[str, Title]:
        listed: dict[str, Title] = {}
        after = ""
        for _ in range(PAGES_LIMIT):
            params = {"limit": str(PAGE_LIMIT)} | ({"after": after} if after else {})
            page = await self._origin.get("/v1/titles", lambda body: decode(body, CatalogPage), params=params)
            listed |= {title.id: title for title in page.titles}
            if page.next_after is None:
                return listed
            if page.next_after <= after:
                break
            after = page.next_after
        raise ServiceError(f"{self._origin.base_url}/v1/titles: the pages have no end after {after!r}", 200)

    async def _take(self, title: Title, digest: str) -> str:
        """Publish or refuse; words when the origin failed and the next round should try again."""
        try:
            check_title(title)
            indexes = await self._indexes(title)
        except (RefusedError, ServiceError) as error:
            if isinstance(error, ServiceError) and error.status >= 500:
                return str(error)
            self._refuse(title.id, digest, str(error))
            return ""
        await self._store.keep(title, indexes)
        self._refused.pop(title.id, None)
        self._log.info("title_published", title=title.id, renditions=len(title.renditions), bytes=title.bytes)
        return ""

    async def _indexes(self, title: Title) -> dict[str, bytes]:
        """Every rendition's index, checked. Those kept already are checked anew but not fetched."""
        kept = self._store.index_bodies(title.id)
        indexes: dict[str, bytes] = {}
        for rendition in title.renditions:
            body = kept.get(rendition.id)
            if body is None or xxhash.xxh3_128_hexdigest(body) != rendition.index_xxh3:
                body = await self._origin.get(f"/s/{title.id}/{rendition.id}/index.json", bytes)
            checked_index(title, rendition, body)
            indexes[rendition.id] = body
        return indexes

    def _refuse(self, title: str, digest: str, reason: str) -> None:
        self._meter.inc("oca_control_title_refusals_total")
        if self._refused.get(title, ("", 0.0))[0] != digest:
            kept = self._store.title(title) is not None
            self._log.warning("title_refused", title=title, reason=reason, earlier_version_stays=kept)
        self._refused[title] = (digest, self._clock.monotonic() + self._refused_again_s)

    def _note_missing(self, missing: tuple[str, ...]) -> None:
        self._meter.set("oca_control_titles_missing", len(missing))
        if missing and missing != self._missing:
            self._log.warning("titles_missing_but_kept", titles=len(missing), first=missing[0])
        self._missing = missing
