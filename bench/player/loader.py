"""One track's loader: fetches its segments in order, ahead of the playhead, from whichever pathway delivers.

Flow only: `abr` chooses the rendition, `failover` the pathway, `buffer` says when there is room. A segment
that fails is asked for again at the next pathway at once; the playhead notices only if the buffer runs dry.
"""

from __future__ import annotations

from contextlib import suppress

import msgspec

from bench.player import abr, cmcd, hls
from bench.player.fetch import Abandoned, Ask, Fetched, Fetcher, FetchError, Progress
from bench.player.play import Play, PlaybackError
from bench.player.presentation import (
    GRAIN_S,
    ManifestError,
    Rendition,
    Resource,
    Segment,
    SegmentIndex,
    TrackKind,
    resolve,
)
from bench.player.result import FailoverRecord

LEAST_WAIT_S = 0.01


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """A segment that is here."""

    rendition: Rendition
    pathway: str
    number: int
    segment: Segment
    fetched: Fetched


class _Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """A pathway failed while the next segment was wanted."""

    pathway: str
    reason: str
    at_ms: float
    stalls: int


class _Search:
    """The search for one segment: the rung asked for, and what went wrong so far."""

    __slots__ = ("last_error", "rung", "troubles")

    def __init__(self, rung: int) -> None:
        self.rung = rung
        self.troubles: list[_Trouble] = []
        self.last_error = "nothing was tried"


class _TrackEndError(Exception):
    """The track has no further segment."""


class TrackLoader:
    """Keeps one track ahead of the playhead by the buffer goal."""

    def __init__(self, play: Play, fetcher: Fetcher, track: TrackKind, ladder: tuple[Rendition, ...]) -> None:
        self._play = play
        self._fetcher = fetcher
        self._track = track
        self._ladder = ladder
        self._rungs = [rendition.bandwidth_bps for rendition in ladder]
        self._indexes: dict[tuple[str, str], SegmentIndex] = {}
        self._initialized: set[tuple[str, Resource]] = set()
        self._segment_s = 1.0

    def __repr__(self) -> str:
        return f"<TrackLoader {self._track} at {self._play.buffer.reaches_s(self._track):.3f} s>"

    async def run(self) -> None:
        """Load until the track's end. Raises PlaybackError when no pathway delivers the next segment."""
        with suppress(_TrackEndError):
            while True:
                await self._wait_for_room()
                self._arrived(await self._next_segment())
        self._play.finished(self._track)

    async def _wait_for_room(self) -> None:
        play = self._play
        while True:
            play.look()
            over_s = play.buffer.track_level_s(self._track) - play.limits.buffer_goal_s
            if over_s <= 0:
                return
            wait_s = over_s / play.limits.speed if play.buffer.state == "playing" else play.limits.tick_s
            await play.clock.sleep(max(wait_s, LEAST_WAIT_S))

    async def _next_segment(self) -> Delivered:
        """The segment where the track now ends, from whichever pathway has it.

        All are tried in rounds with a pause between. Rounds while the picture still moves cost the viewer
        nothing and don't count; the buffer's end bounds them.
        """
        play = self._play
        search = _Search(self._choose())
        pause_s = play.limits.backoff_s
        rounds = 0
        while True:
            tried: set[str] = set()
            while (pathway := play.pathways.next_untried(tried)) is not None:
                delivered = await self._attempt(search, pathway, tried)
                if delivered is not None:
                    self._tell_failovers(search, delivered)
                    return delivered
            rounds += play.buffer.state != "playing"
            if rounds >= play.limits.rounds:
                at_s = play.buffer.reaches_s(self._track)
                raise PlaybackError(f"no pathway delivers {self._track} at {at_s:.1f} s: {search.last_error}")
            await play.clock.sleep(pause_s)
            pause_s = min(pause_s * 2, play.limits.backoff_most_s)

    async def _attempt(self, search: _Search, pathway: str, tried: set[str]) -> Delivered | None:
        """One try at one pathway; None when it brought nothing. An abandoned one may be tried again, lower."""
        try:
            return await self._deliver(self._ladder[search.rung], pathway)
        except Abandoned as abandoned:
            self._play.throughput.add(abandoned.size, abandoned.duration_s)
            search.rung = max(min(search.rung - 1, self._choose()), 0)
        except (FetchError, ManifestError) as error:
            tried.add(pathway)
            self._failed(search, pathway, error)
        return None

    def _failed(self, search: _Search, pathway: str, error: FetchError | ManifestError) -> None:
        """Hold it against the pathway. A second request that dies with its appliance is no second failover."""
        play = self._play
        play.look()
        play.tally.retries += 1
        search.last_error = f"{pathway}: {error}"
        if not play.pathways.penalised(pathway):
            search.troubles.append(
                _Trouble(pathway=pathway, reason=str(error), at_ms=play.elapsed_ms(), stalls=play.buffer.stalls)
            )
        kind = error.kind if isinstance(error, FetchError) else "corrupt"
        retry_after_s = error.retry_after_s if isinstance(error, FetchError) else None
        play.pathways.failed(pathway, kind, play.clock.monotonic(), retry_after_s=retry_after_s)

    def _tell_failovers(self, search: _Search, delivered: Delivered) -> None:
        play = self._play
        play.look()
        for trouble in search.troubles:
            if trouble.pathway != delivered.pathway:
                play.failed_over(
                    FailoverRecord(
                        from_pathway=trouble.pathway,
                        to_pathway=delivered.pathway,
                        at_ms=trouble.at_ms,
                        position_ms=play.position_ms,
                        track=self._track,
                        segment=delivered.number,
                        reason=trouble.reason,
                        stalls=play.buffer.stalls - trouble.stalls,
                    )
                )

    def _arrived(self, delivered: Delivered) -> None:
        """Count it, and let the playhead have it."""
        play = self._play
        rendition, segment = delivered.rendition, delivered.segment
        self._segment_s = max(segment.duration_s, GRAIN_S)
        if self._track == "video":
            play.throughput.add(delivered.fetched.size, delivered.fetched.duration_s)
            play.tally.ttfs_ms = play.elapsed_ms() if play.tally.ttfs_ms is None else play.tally.ttfs_ms
            self._tell_switch(rendition, delivered.pathway)
        play.tally.segment(
            pathway=delivered.pathway, track=self._track, rendition=rendition.id, duration_s=segment.duration_s
        )
        play.reached(self._track, segment.end_s)
        play.emit(
            "segment",
            pathway=delivered.pathway,
            track=self._track,
            rendition=rendition.id,
            value=rendition.bandwidth_bps,
            detail=f"{delivered.number}",
        )

    def _tell_switch(self, rendition: Rendition, pathway: str) -> None:
        play = self._play
        before, play.rendition = play.rendition, rendition
        if before is not None and before.id != rendition.id:
            play.tally.switches += 1
            detail = f"was {before.id}"
            play.emit(
                "switch",
                value=rendition.bandwidth_bps,
                pathway=pathway,
                track=self._track,
                rendition=rendition.id,
                detail=detail,
            )

    def _choose(self) -> int:
        play = self._play
        return abr.choose(
            self._rungs,
            estimate_bps=play.throughput.estimate_bps,
            level_s=max(play.buffer.track_level_s(self._track), 0.0),
            segment_s=self._segment_s,
            playing=play.buffer.state != "starting",
            limits=play.limits,
        )

    async def _deliver(self, rendition: Rendition, pathway: str) -> Delivered:
        """The next segment of `rendition` from `pathway`, with the list and initialization it needs."""
        index = await self._index(rendition, pathway)
        number = index.at(self._play.buffer.reaches_s(self._track))
        if number is None:
            raise _TrackEndError
        segment = index.segments[number]
        if segment.init is not None and (rendition.id, segment.init) not in self._initialized:
            await self._fetch(rendition, pathway, segment.init, None)
            self._initialized.add((rendition.id, segment.init))
        fetched = await self._fetch(rendition, pathway, segment.resource, segment)
        return Delivered(rendition=rendition, pathway=pathway, number=number, segment=segment, fetched=fetched)

    async def _index(self, rendition: Rendition, pathway: str) -> SegmentIndex:
        """The rendition's segments as `pathway` lists them."""
        location = _location(rendition, pathway)
        if rendition.index is not None:
            return rendition.index
        index = self._indexes.get((rendition.id, pathway))
        if index is None:
            ask = Ask(
                url=location,
                purpose="playlist",
                pathway=pathway,
                track=self._track,
                keep=True,
                headers=self._headers("m", rendition, None),
            )
            body = (await self._fetcher.get(ask)).body
            index = hls.parse_media(body.decode("utf-8", "replace"))
            self._indexes[rendition.id, pathway] = index
        return index

    async def _fetch(self, rendition: Rendition, pathway: str, resource: Resource, segment: Segment | None) -> Fetched:
        """A media segment, or without one an initialization segment."""
        play = self._play
        url = resolve(_location(rendition, pathway), resource)
        object_type: cmcd.ObjectType = "i" if segment is None else "a" if self._track == "audio" else "v"
        duration_s = segment.duration_s if segment is not None else None
        if play.limits.cmcd == "query":
            url = cmcd.with_query(url, play.report(object_type, rendition, duration_s))
        return await self._fetcher.get(
            Ask(
                url=url,
                purpose="init" if segment is None else "media",
                pathway=pathway,
                track=self._track,
                byte_range=resource.byte_range,
                headers=self._headers(object_type, rendition, duration_s),
                checker=play.verify(url) if play.verify is not None else None,
                progress=self._watch(rendition, segment) if segment is not None else None,
            )
        )

    def _headers(self, object_type: cmcd.ObjectType, rendition: Rendition, duration_s: float | None) -> dict[str, str]:
        if self._play.limits.cmcd != "header":
            return {}
        return cmcd.headers(self._play.report(object_type, rendition, duration_s))

    def _watch(self, rendition: Rendition, segment: Segment) -> Progress | None:
        """What gives a download up when a lower rendition would be here sooner; None on the lowest rung."""
        if rendition.bandwidth_bps <= self._rungs[0]:
            return None
        play = self._play
        lower_bytes = self._rungs[0] * segment.duration_s / 8

        def progress(received: int, elapsed_s: float, expected: int | None) -> bool:
            play.look()
            level_s = max(play.buffer.track_level_s(self._track), 0.0)
            return abr.hopeless(
                received=received, elapsed_s=elapsed_s, expected=expected, level_s=level_s, lower_bytes=lower_bytes
            )

        return progress


def _location(rendition: Rendition, pathway: str) -> str:
    """Where `pathway` has the rendition."""
    location = rendition.locations.get(pathway)
    if location is None:
        raise FetchError("missing", f"the manifest has no {rendition.id} on {pathway}")
    return location
