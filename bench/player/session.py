"""The headless player: start, play until, stop. The flow of one play, in call order.

Control is asked for a session and a manifest; from then on only pathways and steering matter, and
control may die. The parts run as tasks of this player and end with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import TracebackType

import aiohttp

from bench.player import dash, hls
from bench.player.events import OnEvent, PlayerEvent, Snapshot
from bench.player.fetch import Ask, Fetcher, FetchError
from bench.player.limits import PlayerLimits
from bench.player.loader import TrackLoader
from bench.player.play import Play, PlaybackError, Verify
from bench.player.presentation import Format, Presentation
from bench.player.reports import Kind, Reports
from bench.player.result import Outcome, PlayerResult, Tally
from bench.player.steer import Steerer
from control.kit.client import ServiceClient
from control.kit.clock import Clock, SystemClock
from control.kit.errors import UserError
from control.wire import PlaybackRequest, PlaybackSession

READ_BUFFER_BYTES = 256 * 1024
LEAST_NAP_S = 0.001
_REPORTED: dict[str, Kind] = {
    "start": "start",
    "stall": "stall",
    "switch": "switch",
    "failover": "failover",
    "error": "error",
}
"""Events that control is told of, and their kind there."""


class Player:
    """One viewer watching one title. Use once: `start`, `play_until` as often as wanted, `stop`."""

    def __init__(
        self,
        *,
        control_url: str,
        title: str,
        profile: str,
        device: str,
        format: Format = "hls",  # noqa: A002 - the word of everyone who chooses one
        client: str | None = None,
        clock: Clock | None = None,
        on_event: OnEvent | None = None,
        limits: PlayerLimits | None = None,
        http: aiohttp.ClientSession | None = None,
        verify: Verify | None = None,
    ) -> None:
        self.title = title
        self.format = format
        self.limits = limits or PlayerLimits()
        self._request = PlaybackRequest(title=title, profile=profile, device=device, client=client)
        self._clock = clock or SystemClock()
        self._on_event = on_event
        self._verify = verify
        self._tally = Tally(self.limits.requests_kept)
        self._control = ServiceClient("control", control_url, timeout_s=self.limits.control_s)
        self._reports = Reports(self._control, clock=self._clock, limits=self.limits)
        self._http = http
        self._own_http: aiohttp.ClientSession | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._began: float | None = None
        self._play: Play | None = None
        self._settled = asyncio.Event()
        self._error = ""
        self._crash: Exception | None = None
        self._result: PlayerResult | None = None

    def __repr__(self) -> str:
        return f"<Player {self.title} {self._error or self._play or 'not started'}>"

    async def __aenter__(self) -> Player:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def serving(self) -> str:
        """The pathway that the last video segment came from; empty before the first."""
        return self._tally.serving

    @property
    def position_ms(self) -> int:
        """Where the playhead is now."""
        if self._play is None:
            return 0
        self._play.look()
        return self._play.position_ms

    @property
    def session(self) -> PlaybackSession | None:
        """The session control gave, once it did."""
        return self._play.session if self._play else None

    def snapshot(self) -> Snapshot | None:
        """The play as it is now; None before the manifest is read."""
        return self._play.snapshot() if self._play else None

    async def start(self) -> None:
        """Begin to play where the profile stopped; returns when the picture would move.

        Raises UnreachableError when control does not answer, ManifestError, or PlaybackError. After any of
        them, and always in the end, call `stop`.
        """
        assert self._began is None, "a player plays once"
        self._began = self._clock.monotonic()
        try:
            await self._begin(self._began)
        except UserError as error:
            self._error = self._error or str(error)
            raise
        await self._settled.wait()
        self._raise_failure()

    async def play_until(self, position_ms: int) -> None:
        """Return when the playhead is at `position_ms` or at the title's end. Raises PlaybackError."""
        play = self._play
        assert play is not None, "start first"
        while True:
            self._raise_failure()
            play.look()
            left_s = position_ms / 1000 - play.buffer.position_s
            if left_s <= 0 or play.buffer.state == "ended":
                return
            nap_s = left_s / self.limits.speed if play.buffer.state == "playing" else self.limits.tick_s
            await self._clock.sleep(min(max(nap_s, LEAST_NAP_S), self.limits.tick_s))

    async def stop(self) -> PlayerResult:
        """Stop where the playhead is, save that position, and say how it went. A second call gives the same."""
        if self._result is not None:
            return self._result
        last = self.snapshot()
        position_ms = last.position_ms if last is not None else 0
        try:
            await self._end_tasks()
            if last is not None:
                self._reports.event("stop", position_ms=position_ms, pathway=self.serving)
            saved = await self._reports.farewell(position_ms)
        finally:
            await self._close()
        self._result = self._summary(last, saved)
        if self._crash is not None:
            raise self._crash
        return self._result

    async def _begin(self, began: float) -> None:
        """Session, manifest, loaders: up to the first requests for media."""
        http = self._http if self._http is not None else self._session()
        fetcher = Fetcher(http, clock=self._clock, limits=self.limits, on_request=self._tally.request)
        session = await self._reports.begin(self._request)
        presentation = await self._presentation(fetcher, session)
        self._play = play = Play(
            session=session,
            presentation=presentation,
            tally=self._tally,
            began=began,
            clock=self._clock,
            limits=self.limits,
            on_event=self._tell,
            verify=self._verify,
        )
        await self._set_going(play, fetcher)

    def _session(self) -> aiohttp.ClientSession:
        self._own_http = media_session()
        return self._own_http

    async def _presentation(self, fetcher: Fetcher, session: PlaybackSession) -> Presentation:
        url = session.hls_url if self.format == "hls" else session.dash_url
        body = await self._manifest(fetcher, url)
        if self.format == "hls":
            return hls.parse_multivariant(body.decode("utf-8", "replace"), url)
        return dash.parse_mpd(body, url)

    async def _manifest(self, fetcher: Fetcher, url: str) -> bytes:
        """The manifest's bytes. Only control has it, so it alone is asked, a few times."""
        pause_s = self.limits.backoff_s
        for left in reversed(range(self.limits.manifest_tries)):
            try:
                return (await fetcher.get(Ask(url=url, purpose="manifest", keep=True))).body
            except FetchError as error:
                if not left:
                    raise PlaybackError(f"the manifest {url} cannot be had: {error}") from error
            await self._clock.sleep(pause_s)
            pause_s *= 2
        raise AssertionError("a manifest is tried at least once")

    async def _set_going(self, play: Play, fetcher: Fetcher) -> None:
        presentation = play.presentation
        self._spawn(self._reports.run(), "reports")
        self._spawn(self._tick(play), "playhead")
        if presentation.steering is not None:
            steerer = Steerer(play, fetcher, presentation.steering)
            if presentation.steering.before_start:
                await steerer.ask_before_start()
            self._spawn(steerer.run(), "steering")
        self._spawn(TrackLoader(play, fetcher, "video", presentation.video).run(), "video")
        if presentation.audio is not None:
            self._spawn(TrackLoader(play, fetcher, "audio", (presentation.audio,)).run(), "audio")

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(self._guarded(work), name=f"player {name}"))

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        """Work whose failure fails the play, and whose crash is raised to whoever plays."""
        try:
            await work
        except PlaybackError as error:
            self._fail(str(error))
        except Exception as error:
            self._crash = error
            self._fail(repr(error))

    def _fail(self, words: str) -> None:
        if self._error or self._play is None:
            return
        self._error = words
        self._play.emit("error", detail=words)
        self._settled.set()

    def _raise_failure(self) -> None:
        if self._crash is not None:
            crash, self._crash = self._crash, None
            raise crash
        if self._error:
            raise PlaybackError(self._error)

    async def _tick(self, play: Play) -> None:
        """Watch the playhead: tell of stalls as they happen, give up a hopeless one, report positions."""
        report_at = self._clock.monotonic() + self.limits.position_interval_s
        while play.buffer.state != "ended":
            play.look()
            play.emit("tick")
            waited_s = play.buffer.in_state_s
            if play.buffer.state in ("starting", "stalled") and waited_s > self.limits.stall_limit_s:
                raise PlaybackError(f"nothing to play for {waited_s:.1f} s at {play.buffer.position_s:.1f} s")
            if self._clock.monotonic() >= report_at:
                report_at = self._clock.monotonic() + self.limits.position_interval_s
                self._reports.position(play.position_ms)
            await self._clock.sleep(self.limits.tick_s)

    def _tell(self, event: PlayerEvent) -> None:
        """Pass an event on: to control what it should know, to the watcher everything."""
        if event.kind in ("start", "end"):
            self._settled.set()
        kind = _REPORTED.get(event.kind)
        if kind is not None:
            self._reports.event(
                kind, position_ms=event.position_ms, value=event.value, pathway=event.pathway, detail=event.detail
            )
        if self._on_event is not None:
            self._on_event(event)

    async def _end_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def _close(self) -> None:
        await self._control.close()
        if self._own_http is not None:
            await self._own_http.close()
            self._own_http = None

    def _summary(self, last: Snapshot | None, saved: bool) -> PlayerResult:
        """What the play came to, with the playhead as it was at `stop`."""
        outcome: Outcome = "ended" if last is not None and last.state == "ended" else "stopped"
        if self._error or last is None:
            outcome = "failed"
        return self._tally.result(
            title=self.title,
            format=self.format,
            session=self._play.session.id if self._play is not None else "",
            outcome=outcome,
            error=self._error or ("" if last is not None else "play never began"),
            resume_ms=self._play.resume_ms if self._play is not None else 0,
            last=last,
            position_saved=saved,
            reports_lost=self._reports.lost,
        )


def media_session() -> aiohttp.ClientSession:
    """Connections for media, kept alive. Many players may share one; whoever makes it closes it."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        read_bufsize=READ_BUFFER_BYTES,
    )
