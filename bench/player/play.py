"""One play: the state that its parts (loaders, steering, playhead) share, and what they say about it.

No I/O. Made when the manifest is known, gone when play stops.
"""

from __future__ import annotations

from collections.abc import Callable

from bench.player import cmcd
from bench.player.abr import Throughput
from bench.player.buffer import Change, PlaybackBuffer
from bench.player.events import EventKind, OnEvent, PlayerEvent, Snapshot
from bench.player.failover import Pathways
from bench.player.fetch import Checker
from bench.player.limits import PlayerLimits
from bench.player.presentation import Presentation, Rendition
from bench.player.result import FailoverRecord, SteerRecord, Tally
from control.kit.clock import Clock
from control.kit.errors import UserError
from control.wire import PlaybackSession

Verify = Callable[[str], Checker | None]
"""URL of an initialization or media segment → what looks at its bytes, or None."""


class PlaybackError(UserError):
    """Play cannot go on: nothing delivers what is needed next."""


class Play:
    """Everything that changes during one play."""

    def __init__(
        self,
        *,
        session: PlaybackSession,
        presentation: Presentation,
        tally: Tally,
        began: float,
        clock: Clock,
        limits: PlayerLimits,
        on_event: OnEvent,
        verify: Verify | None,
    ) -> None:
        self.session = session
        self.presentation = presentation
        self.tally = tally
        self.clock = clock
        self.limits = limits
        self.verify = verify
        self.throughput = Throughput(limits)
        self.pathways = Pathways(presentation.pathways, presentation.initial, limits)
        self.resume_ms = session.resume_ms if session.resume_ms < session.duration_ms else 0
        self.rendition: Rendition | None = None
        self.starved = False
        """A stall has happened that no request has told of yet (CMCD `bs`)."""
        self._began = began
        self._on_event = on_event
        tracks = ["video"] if presentation.audio is None else ["video", "audio"]
        self.buffer = PlaybackBuffer(
            tracks,
            start_s=self.resume_ms / 1000,
            startup_s=limits.startup_s,
            rebuffer_s=limits.rebuffer_s,
            speed=limits.speed,
            now=clock.monotonic(),
        )

    def __repr__(self) -> str:
        return f"<Play {self.session.title} {self.buffer!r} {self.pathways!r}>"

    @property
    def position_ms(self) -> int:
        """Where the playhead was when last looked at."""
        return round(self.buffer.position_s * 1000)

    def elapsed_ms(self) -> float:
        """Milliseconds since play was asked for."""
        return round((self.clock.monotonic() - self._began) * 1000, 3)

    def look(self) -> None:
        """Move the playhead to now, and say what happened on the way."""
        self.tell_changes(self.buffer.advance(self.clock.monotonic()))

    def reached(self, track: str, until_s: float) -> None:
        """`track` is here up to `until_s`."""
        self.tell_changes(self.buffer.append(track, until_s, self.clock.monotonic()))

    def finished(self, track: str) -> None:
        """`track` is here up to its end."""
        self.tell_changes(self.buffer.finish(track, self.clock.monotonic()))

    def tell_changes(self, changes: list[Change]) -> None:
        """Say that the playhead started, starved, went on or ended."""
        for change in changes:
            lasted_ms = round(change.lasted_s * 1000)
            if change.state == "playing" and self.tally.startup_ms is None:
                self.tally.startup_ms = round((change.at - self._began) * 1000, 3)
                self.emit("start", value=round(self.tally.startup_ms), pathway=self.tally.serving)
            elif change.state == "playing":
                self.emit("resume", value=lasted_ms, pathway=self.tally.serving)
            elif change.state == "stalled":
                self.starved = True
                self.emit("stall", pathway=self.tally.serving)
            elif change.state == "ended":
                self.emit("end", pathway=self.tally.serving)

    def failed_over(self, record: FailoverRecord) -> None:
        """A segment came from another pathway than was asked first."""
        self.tally.failovers.append(record)
        detail = f"{record.from_pathway}: {record.reason}"
        self.emit("failover", pathway=record.to_pathway, track=record.track, detail=detail)

    def steered(self, priority: tuple[str, ...]) -> None:
        """Steering's list is here; new requests follow it."""
        before = self.pathways.current
        self.pathways.steered(priority, self.clock.monotonic())
        after = self.pathways.current
        if after != before:
            self.tally.steered.append(SteerRecord(from_pathway=before, to_pathway=after, at_ms=self.elapsed_ms()))
            self.emit("steer", pathway=after, detail=f"was {before}")

    def emit(
        self,
        kind: EventKind,
        *,
        value: int = 0,
        pathway: str = "",
        track: str = "",
        rendition: str = "",
        detail: str = "",
    ) -> None:
        """Tell whoever watches."""
        self._on_event(
            PlayerEvent(
                kind=kind,
                at_ms=self.elapsed_ms(),
                position_ms=self.position_ms,
                pathway=pathway,
                track=track,
                rendition=rendition,
                value=value,
                detail=detail,
            )
        )

    def report(self, object_type: cmcd.ObjectType, rendition: Rendition, duration_s: float | None) -> cmcd.Report:
        """What a request for `rendition` says of this play (CTA-5004)."""
        starved, self.starved = self.starved, False
        return cmcd.Report(
            object_type=object_type,
            session=self.session.id,
            content=self.session.title,
            streaming="h" if self.presentation.format == "hls" else "d",
            bitrate_bps=rendition.bandwidth_bps,
            duration_s=duration_s,
            buffer_s=self.buffer.track_level_s(rendition.kind if rendition.kind == "audio" else "video"),
            throughput_bps=self.throughput.estimate_bps,
            startup=self.buffer.state in ("starting", "stalled"),
            starved=starved,
        )

    def snapshot(self) -> Snapshot:
        """The play as it is now."""
        self.look()
        buffer = self.buffer
        stalled_s = buffer.stalled_s + (buffer.in_state_s if buffer.state == "stalled" else 0.0)
        return Snapshot(
            state=buffer.state,
            position_ms=self.position_ms,
            duration_ms=self.session.duration_ms,
            buffer_s=max(buffer.level_s, 0.0),
            serving=self.tally.serving,
            rendition=self.rendition.id if self.rendition else "",
            bitrate_bps=self.rendition.bandwidth_bps if self.rendition else 0,
            throughput_bps=self.throughput.estimate_bps or 0.0,
            stalls=buffer.stalls,
            stall_ms=round(stalled_s * 1000, 3),
            failovers=len(self.tally.failovers),
            segments=self.tally.segments,
            bytes=sum(self.tally.bytes_by_pathway.values()),
        )
