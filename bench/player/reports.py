"""What a player tells control: events and positions. Best effort: play never waits for it, nor fails with it.

A report waits in a bounded queue; the oldest is dropped when control is slower than play. Reports carry
sequence numbers and may be sent twice.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import Literal

from bench.player.limits import PlayerLimits
from control.kit.client import ServiceClient
from control.kit.clock import Clock
from control.kit.errors import UserError
from control.wire import PlaybackEvent, PlaybackRequest, PlaybackSession, Position, decode, encode

Kind = Literal["start", "stall", "switch", "failover", "stop", "error"]


class Reports:
    """One session's line to control."""

    def __init__(self, client: ServiceClient, *, clock: Clock, limits: PlayerLimits) -> None:
        self.lost = 0
        self._client = client
        self._clock = clock
        self._limits = limits
        self._session: PlaybackSession | None = None
        self._queue: deque[PlaybackEvent | Position] = deque()
        self._waiting = asyncio.Event()
        self._sequence = 0

    def __repr__(self) -> str:
        return f"<Reports to {self._client.base_url}, {len(self._queue)} waiting, {self.lost} lost>"

    async def begin(self, request: PlaybackRequest) -> PlaybackSession:
        """Ask for a session. The one call that play does wait for; raises UnreachableError."""
        self._session = await self._client.post("/v1/playback", encode(request), partial(decode, kind=PlaybackSession))
        return self._session

    def event(self, kind: Kind, *, position_ms: int, value: int = 0, pathway: str = "", detail: str = "") -> None:
        """Tell of an event, sometime soon."""
        session = self._begun
        self._put(
            PlaybackEvent(
                session=session.id,
                sequence=self._next(),
                at=self._clock.now(),
                kind=kind,
                position_ms=position_ms,
                value=value,
                pathway=pathway or None,
                detail=detail[:4096],
            )
        )

    def position(self, position_ms: int) -> None:
        """Tell where the viewer is, sometime soon."""
        self._put(self._position(position_ms))

    async def run(self) -> None:
        """Send what waits, for as long as play lasts."""
        while True:
            await self._waiting.wait()
            while self._queue:
                report = self._queue[0]
                await self._send_or_lose(report)
                if self._queue and self._queue[0] is report:
                    self._queue.popleft()
            self._waiting.clear()

    async def farewell(self, position_ms: int) -> bool:
        """After `run` has ended: save the final position, then send what waits. Whether the position was saved.

        Takes `farewell_s` at most, however control behaves.
        """
        if self._session is None:
            return False
        saved = False
        try:
            async with asyncio.timeout(self._limits.farewell_s):
                saved = await self._send_or_lose(self._position(position_ms))
                while saved and self._queue:
                    await self._send_or_lose(self._queue.popleft())
        except TimeoutError:
            self.lost += 1
        self.lost += len(self._queue)
        self._queue.clear()
        return saved

    @property
    def _begun(self) -> PlaybackSession:
        assert self._session is not None, "reports need a session"
        return self._session

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence

    def _position(self, position_ms: int) -> Position:
        session = self._begun
        return Position(
            profile=session.profile,
            title=session.title,
            session=session.id,
            sequence=self._next(),
            position_ms=position_ms,
            at=self._clock.now(),
            device=session.device,
        )

    def _put(self, report: PlaybackEvent | Position) -> None:
        if len(self._queue) >= self._limits.reports_waiting:
            self._queue.popleft()
            self.lost += 1
        self._queue.append(report)
        self._waiting.set()

    async def _send_or_lose(self, report: PlaybackEvent | Position) -> bool:
        try:
            if isinstance(report, Position):
                await self._client.send("PUT", f"/v1/positions/{report.profile}/{report.title}", encode(report))
            else:
                await self._client.send("POST", "/v1/events", encode(report))
        except UserError:
            self.lost += 1
            return False
        return True
