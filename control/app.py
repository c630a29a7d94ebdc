"""The wiring of the control plane: which instance gets which.

Binds first, opens the database, then serves; the catalog is followed beside. Decisions are in the services.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from pathlib import Path

from control.catalog import store as catalog_store
from control.catalog.follow import Follower
from control.catalog.store import CatalogStore
from control.config import ControlSettings
from control.events.journal import Journal
from control.gateway.routes_catalog import CatalogRoutes
from control.gateway.routes_page import PAGE, PageRoutes
from control.gateway.routes_playback import PlaybackRoutes
from control.gateway.routes_viewer import ViewerRoutes
from control.kit.client import ServiceClient
from control.kit.clock import Clock
from control.kit.database import Database, open_database
from control.kit.http import HttpServer, application, bound_socket
from control.kit.lifecycle import Periodic
from control.kit.logs import get_logger
from control.kit.metrics import Meter
from control.metrics import METRICS
from control.playback import store as playback_store
from control.playback.breaker import Breaker
from control.playback.links import Links
from control.playback.session import Playback
from control.playback.steer import Steerer
from control.playback.store import SessionStore
from control.resume import store as resume_store
from control.resume.decide import Rules
from control.resume.store import Positions
from control.wire import RankedPathway, Title

APPLICATION = "OCAc"
ORIGIN = "origin"
BODY_LIMIT_BYTES = 64 * 1024
"""What players send is small."""
SCHEMA = {"catalog": catalog_store.SCHEMA, "playback": playback_store.SCHEMA, "resume": resume_store.SCHEMA}


def random_session_id() -> str:
    """An id that cannot be guessed: it is all that guards a session."""
    return f"p-{secrets.token_hex(12)}"


class ControlPlane:
    """The process. `new_id` names sessions, `page` is the directory of the web page."""

    name = "control"

    def __init__(
        self,
        settings: ControlSettings,
        clock: Clock,
        *,
        new_id: Callable[[], str] = random_session_id,
        page: Path = PAGE,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._new_id = new_id
        self._page = page
        self.meter = Meter(METRICS)
        self._origin = ServiceClient("origin", settings.origin_url)
        self._steering = ServiceClient("steering", settings.steering_url, timeout_s=float(settings.steering_timeout))
        self._socket: socket.socket | None = None
        self._database: Database | None = None
        self._server: HttpServer | None = None
        self._periodic: list[Periodic] = []
        self._log = get_logger()

    def __repr__(self) -> str:
        return f"<ControlPlane {self.url}>"

    @property
    def url(self) -> str:
        """Our base URL as players see it. With `listen.port` 0 known once started."""
        if self._settings.url is not None:
            return self._settings.url.rstrip("/")
        listen = self._settings.listen
        host = f"[{listen.host}]" if ":" in listen.host else listen.host
        port = self._socket.getsockname()[1] if self._socket is not None else listen.port
        return f"http://{host}:{port}"

    async def start(self) -> None:
        """Bind, open the database, serve, begin to follow the origin."""
        listen = self._settings.listen
        self._socket = bound_socket(listen.host, listen.port, what="control")
        limits = self._settings.limits
        self._database = open_database(
            self._settings.database, SCHEMA, application=APPLICATION, queue_limit=limits.writes_waiting
        )
        catalog = CatalogStore(self._database)
        follower = self._follower(catalog)
        self._server = self._serving(self._database, catalog, follower)
        await self._server.start()
        self._periodic.append(
            Periodic("catalog", float(self._settings.catalog_poll), follower.poll, self._clock),
        )
        for periodic in self._periodic:
            periodic.start()
        self._log.info("listening", url=self.url, database=str(self._settings.database), titles=catalog.count())

    def _follower(self, catalog: CatalogStore) -> Follower:
        return Follower(
            catalog,
            self._origin,
            clock=self._clock,
            meter=self.meter,
            refused_again_s=float(self._settings.refused_again),
        )

    def _serving(self, database: Database, catalog: CatalogStore, follower: Follower) -> HttpServer:
        assert self._socket is not None
        settings, limits = self._settings, self._settings.limits
        sessions = SessionStore(database, limit=limits.sessions, ttl_s=float(settings.session_ttl))
        positions = Positions(database, self._rules(), limit=limits.positions)
        playback = self._playback(catalog, sessions, positions)
        journal = Journal(self.meter, sessions_limit=limits.event_sessions, events_limit=limits.events_each)

        def waiting_for() -> list[str]:
            return [] if follower.synced or catalog.count() else [f"the first catalog of {settings.origin_url}"]

        app = application(meter=self.meter, clock=self._clock, ready=waiting_for, body_limit_bytes=BODY_LIMIT_BYTES)
        CatalogRoutes(catalog).add_to(app.router)
        PlaybackRoutes(playback, self.meter).add_to(app.router)
        ViewerRoutes(
            catalog=catalog,
            playback=playback,
            positions=positions,
            journal=journal,
            clock=self._clock,
            meter=self.meter,
        ).add_to(app.router)
        PageRoutes(self._page, settings.players).add_to(app.router)
        self._periodic.append(self._sweep(sessions, positions))
        return HttpServer(app, self._socket, drain_s=float(settings.drain_limit))

    def _playback(self, catalog: CatalogStore, sessions: SessionStore, positions: Positions) -> Playback:
        def resume_ms(profile: str, title: Title) -> int:
            return positions.resume_ms(profile, title.id, duration_ms=title.duration_ms)

        steerer = Steerer(
            self._steering,
            sessions,
            origin=RankedPathway(pathway=ORIGIN, kind="origin", url=self._settings.origin_url.rstrip("/")),
            pathways_limit=self._settings.limits.pathways,
            breaker=Breaker(),
            clock=self._clock,
            meter=self.meter,
        )
        return Playback(
            titles=catalog,
            sessions=sessions,
            steerer=steerer,
            links=Links(control=self.url, steering=self._settings.steering_url.rstrip("/")),
            resume_ms=resume_ms,
            new_id=self._new_id,
            clock=self._clock,
        )

    def _rules(self) -> Rules:
        resume = self._settings.resume
        return Rules(
            completed=resume.completed,
            restarted=resume.restarted,
            alive_s=float(resume.alive),
            shortest_ms=int(resume.shortest * 1000),
        )

    def _sweep(self, sessions: SessionStore, positions: Positions) -> Periodic:
        async def sweep() -> None:
            await sessions.sweep(now=self._clock.now())
            await positions.sweep()
            self.meter.set("oca_control_sessions", sessions.count())

        return Periodic("sweep", float(self._settings.sweep), sweep, self._clock)

    async def drain(self) -> None:
        """Stop following the origin; take no new requests and finish those in flight."""
        for periodic in self._periodic:
            await periodic.stop()
        if self._server is not None:
            await self._server.stop()
            self._server = None

    async def stop(self) -> None:
        """Close everything; what was acknowledged is on disk already."""
        await self.drain()
        await self._origin.close()
        await self._steering.close()
        if self._database is not None:
            await self._database.close()
            self._database = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None
