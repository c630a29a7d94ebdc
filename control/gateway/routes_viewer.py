"""What players tell us over HTTP: positions and events."""

from __future__ import annotations

import msgspec
from aiohttp import web

from control.catalog.store import CatalogStore
from control.events.journal import Journal
from control.kit.clock import Clock
from control.kit.http import json_body, json_of, read_struct
from control.kit.metrics import Meter
from control.kit.problem import ProblemError
from control.playback.session import NO_TITLE, Playback
from control.resume.store import Positions
from control.wire import PlaybackEvent, PlaybackSession, Position, decode, encode

OTHER_SESSION = "tag:oca,2026:session-of-another"


class EventsPage(msgspec.Struct, frozen=True, kw_only=True):
    """The latest events of a session in order; `dropped` older ones made room."""

    session: str
    events: tuple[PlaybackEvent, ...]
    dropped: int = 0


class ViewerRoutes:
    """Positions and events, checked against the catalog and the sessions."""

    def __init__(
        self,
        *,
        catalog: CatalogStore,
        playback: Playback,
        positions: Positions,
        journal: Journal,
        clock: Clock,
        meter: Meter,
    ) -> None:
        self._catalog = catalog
        self._playback = playback
        self._positions = positions
        self._journal = journal
        self._clock = clock
        self._meter = meter

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        router.add_put("/v1/positions/{profile}/{title}", self.report)
        router.add_get("/v1/positions/{profile}/{title}", self.position)
        router.add_post("/v1/events", self.event)
        router.add_get("/v1/playback/{session}/events", self.events)

    async def report(self, request: web.Request) -> web.Response:
        """Position → Position as kept; durable when this is answered."""
        report = await read_struct(request, lambda body: decode(body, Position))
        if (report.profile, report.title) != (request.match_info["profile"], request.match_info["title"]):
            raise ProblemError(400, "Bad message", "profile and title are not those of the URL")
        title = self._catalog.title(report.title)
        if title is None:
            raise ProblemError(404, "No such title", f"no title {report.title} in the catalog", kind=NO_TITLE)
        kept = await self._positions.record(
            report,
            started_at=_started_at(self._playback.known(report.session), report),
            now=self._clock.now(),
            duration_ms=title.duration_ms,
        )
        self._meter.inc("oca_control_positions_total")
        return json_body(encode(kept))

    async def position(self, request: web.Request) -> web.Response:
        """The Position kept."""
        profile, title = request.match_info["profile"], request.match_info["title"]
        kept = self._positions.find(profile, title)
        if kept is None:
            raise ProblemError(404, "No position", f"{profile} has not watched {title}")
        return json_body(encode(kept))

    async def event(self, request: web.Request) -> web.Response:
        """Take a PlaybackEvent."""
        event = await read_struct(request, lambda body: decode(body, PlaybackEvent))
        self._playback.find(event.session)
        self._journal.record(event)
        return web.Response(status=204)

    async def events(self, request: web.Request) -> web.Response:
        """The latest events of a session."""
        session = self._playback.find(request.match_info["session"]).id
        kept = self._journal.of(session)
        return json_of(EventsPage(session=session, events=tuple(kept.events), dropped=kept.dropped))


def _started_at(session: PlaybackSession | None, report: Position) -> float | None:
    if session is None:
        return None
    if (session.profile, session.title) != (report.profile, report.title):
        words = f"session {session.id} is not one of {report.profile} watching {report.title}"
        raise ProblemError(409, "Session of another", words, kind=OTHER_SESSION)
    return session.started_at
