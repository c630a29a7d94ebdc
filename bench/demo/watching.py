"""An evening in front of the demo: a viewer plays, the appliance that serves dies, another device goes on.

Orders what the headless player and the fleet do; judges nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import msgspec
from rich.markup import escape

from bench.demo.display import Display
from bench.demo.fleet import Fleet
from bench.demo.script import Script
from bench.player.events import PlayerEvent
from bench.player.limits import PlayerLimits
from bench.player.result import PlayerResult
from bench.player.session import Player
from control.kit.clock import SystemClock
from control.wire import Title

PROFILE = "demo"


class Evening(msgspec.Struct, frozen=True, kw_only=True):
    """What the first device saw: the appliance killed under it, who went on, stalls from then on."""

    killed: str
    to: str
    stalls_after: int
    result: PlayerResult


async def watch_with_a_death(fleet: Fleet, title: Title, script: Script, display: Display) -> Evening:
    """Play on the first device over HLS, kill the appliance that serves, play on, stop."""
    async with _playing(fleet, title, script, display, device="living-room", over="hls") as player:
        await player.play_until(script.kill_at_ms)
        killed, stalls = player.serving, _stalls(player)
        await fleet.kill(killed)
        display.line(f"[bold red]{killed} killed[/] at {script.kill_at_ms / 1000:.1f} s: all its processes, by SIGKILL")
        await player.play_until(script.stop_at_ms)
        to = player.serving
        result = await player.stop()
    display.line(f"{to} went on; stopped at {result.position_ms / 1000:.1f} s with {result.stalls} stalls")
    return Evening(killed=killed, to=to, stalls_after=result.stalls - stalls, result=result)


async def resume_elsewhere(fleet: Fleet, title: Title, script: Script, display: Display) -> PlayerResult:
    """Play on on another device over DASH, from where the first one stopped."""
    async with _playing(fleet, title, script, display, device="tablet", over="dash") as player:
        await player.play_until(script.end_at_ms)
        result = await player.stop()
    display.line(f"the tablet went on at {result.resume_ms / 1000:.1f} s from {result.serving}")
    return result


def _told(event: PlayerEvent) -> str:
    """An event for a person: the pathway, and the first words of the reason."""
    reason = ": ".join(event.detail.split(": ")[:2])
    return f"{event.kind}: {event.pathway}" + (f" [dim]({escape(reason)})[/]" if reason else "")


def _stalls(player: Player) -> int:
    snapshot = player.snapshot()
    return snapshot.stalls if snapshot is not None else 0


@asynccontextmanager
async def _playing(
    fleet: Fleet, title: Title, script: Script, display: Display, *, device: str, over: Literal["hls", "dash"]
) -> AsyncIterator[Player]:
    with display.playing(title.duration_ms) as bar:

        def show(event: PlayerEvent) -> None:
            bar.show(event.position_ms, player.serving)
            if event.kind in ("failover", "stall", "steer"):
                display.line(_told(event))

        player = Player(
            control_url=fleet.url("control"),
            title=title.id,
            profile=PROFILE,
            device=device,
            format=over,
            clock=SystemClock(),
            on_event=show,
            limits=PlayerLimits(buffer_goal_s=script.buffer_s),
        )
        try:
            await player.start()
            yield player
        finally:
            await player.stop()
