"""A playback session from request to manifests. The flow: find the title, choose pathways, keep, render."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from control.kit.clock import Clock
from control.kit.problem import ProblemError
from control.playback import dash, hls
from control.playback.links import Links
from control.playback.pathways import Chosen, Remembered, client_address, network_of
from control.playback.steer import Steerer
from control.playback.store import KeptSession, SessionStore
from control.wire import PlaybackRequest, PlaybackSession, RenditionIndex, Title, decode

NO_SESSION = "tag:oca,2026:no-such-session"
NO_TITLE = "tag:oca,2026:no-such-title"
PRESENTATIONS_LIMIT = 64
"""Titles whose adaptation sets are kept in memory."""


class Titles(Protocol):
    """The catalog as playback sees it."""

    def titled(self, title: str) -> tuple[Title, str] | None:
        """The title and a digest that changes with it, or None."""

    def index_bodies(self, title: str) -> dict[str, bytes]:
        """Rendition id → encoded RenditionIndex."""


class Playback:
    """Begins sessions and makes their manifests. `resume_ms` gives where a profile stopped in a title."""

    def __init__(
        self,
        *,
        titles: Titles,
        sessions: SessionStore,
        steerer: Steerer,
        links: Links,
        resume_ms: Callable[[str, Title], int],
        new_id: Callable[[], str],
        clock: Clock,
    ) -> None:
        self._titles = titles
        self._sessions = sessions
        self._steerer = steerer
        self._links = links
        self._resume_ms = resume_ms
        self._new_id = new_id
        self._clock = clock
        self._presentations: OrderedDict[str, tuple[str, dash.Presentation]] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Playback {self._sessions!r}>"

    async def begin(self, request: PlaybackRequest, *, peer: str) -> PlaybackSession:
        """A new session, durable when this returns. `peer` is the address the request came from."""
        title, _ = self._title(request.title)
        try:
            client = client_address(request.client or peer)
        except ValueError as error:
            raise ProblemError(400, "Not an address", f"client: {error}") from error
        identity = self._new_id()
        chosen = await self._steerer.choose(client=client, title=title.id, session=identity)
        session = self._session(identity, request, title, chosen)
        await self._sessions.add(KeptSession(session=session, client=client), self._to_remember(chosen, client, title))
        return session

    def _session(self, identity: str, request: PlaybackRequest, title: Title, chosen: Chosen) -> PlaybackSession:
        return PlaybackSession(
            id=identity,
            title=title.id,
            profile=request.profile,
            device=request.device,
            started_at=self._clock.now(),
            duration_ms=title.duration_ms,
            hls_url=self._links.hls(identity),
            dash_url=self._links.dash(identity),
            resume_ms=self._resume_ms(request.profile, title),
            decision=chosen.decision,
            pathways=chosen.pathways,
        )

    def _to_remember(self, chosen: Chosen, client: str, title: Title) -> Remembered | None:
        if not chosen.steered:
            return None
        return Remembered(
            id=chosen.decision,
            network=network_of(client),
            title=title.id,
            at=self._clock.now(),
            pathways=chosen.pathways,
        )

    def find(self, session: str) -> PlaybackSession:
        """The session. Raises a 404 problem when there is none or its time is over."""
        return self._kept(session).session

    def known(self, session: str) -> PlaybackSession | None:
        """The session, or None."""
        kept = self._sessions.find(session, now=self._clock.now())
        return None if kept is None else kept.session

    def multivariant(self, session: str) -> str:
        """The session's HLS multivariant playlist."""
        kept = self._kept(session)
        title, _ = self._title(kept.session.title)
        return hls.multivariant(title, kept.session.pathways, steering=self._steer(kept))

    def mpd(self, session: str) -> bytes:
        """The session's DASH manifest."""
        kept = self._kept(session)
        title, digest = self._title(kept.session.title)
        shared = self._presentation(title, digest)
        return dash.mpd(shared, title.id, kept.session.pathways, steering=self._steer(kept))

    def _kept(self, session: str) -> KeptSession:
        kept = self._sessions.find(session, now=self._clock.now())
        if kept is None:
            detail = f"no session {session}, or its time is over; begin another with POST /v1/playback"
            raise ProblemError(404, "No such session", detail, kind=NO_SESSION)
        return kept

    def _title(self, title: str) -> tuple[Title, str]:
        found = self._titles.titled(title)
        if found is None:
            raise ProblemError(404, "No such title", f"no title {title} in the catalog", kind=NO_TITLE)
        return found

    def _steer(self, kept: KeptSession) -> str:
        return self._links.steer(kept.session.title, kept.session.id, kept.client)

    def _presentation(self, title: Title, digest: str) -> dash.Presentation:
        cached = self._presentations.get(title.id)
        if cached is not None and cached[0] == digest:
            self._presentations.move_to_end(title.id)
            return cached[1]
        bodies = self._titles.index_bodies(title.id)
        made = dash.presentation(title, {name: decode(body, RenditionIndex) for name, body in bodies.items()})
        self._presentations[title.id] = (digest, made)
        self._presentations.move_to_end(title.id)
        if len(self._presentations) > PRESENTATIONS_LIMIT:
            self._presentations.popitem(last=False)
        return made
