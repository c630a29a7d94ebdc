"""Asks steering and lets the play follow. Flow only: when, where and what it means is `steering.py`'s."""

from __future__ import annotations

import asyncio

from bench.player.fetch import Ask, Fetcher, FetchError
from bench.player.play import Play
from bench.player.presentation import Steering
from bench.player.steering import SteeringClient


class Steerer:
    """Keeps a play's pathway priorities as fresh as steering asks for."""

    def __init__(self, play: Play, fetcher: Fetcher, steering: Steering) -> None:
        self._play = play
        self._fetcher = fetcher
        self._client = SteeringClient(
            steering.url,
            play.presentation.format,
            now=play.clock.monotonic(),
            ttl_least_s=play.limits.steering_ttl_least_s,
        )

    def __repr__(self) -> str:
        return f"<Steerer {self._client!r}>"

    async def ask_before_start(self) -> None:
        """Ask once, and go on without an answer after `steering_wait_s`."""
        try:
            async with asyncio.timeout(self._play.limits.steering_wait_s):
                await self._ask()
        except TimeoutError:
            self._client.unanswered("no answer before the start", self._play.clock.monotonic())

    async def run(self) -> None:
        """Ask whenever the list has become old, until steering says stop."""
        while (wait_s := self._client.due_in(self._play.clock.monotonic())) is not None:
            await self._play.clock.sleep(wait_s)
            await self._ask()

    async def _ask(self) -> None:
        play, client = self._play, self._client
        url = client.question(pathway=play.pathways.current, throughput_bps=play.throughput.estimate_bps)
        status, body, retry_after_s = 200, b"", None
        try:
            body = (await self._fetcher.get(Ask(url=url, purpose="steering", keep=True))).body
        except FetchError as error:
            status, retry_after_s = error.status, error.retry_after_s
            if status < 400:
                client.unanswered(str(error), play.clock.monotonic())
                return
        priority = client.answered(status, body, play.clock.monotonic(), retry_after_s=retry_after_s)
        if priority is not None:
            play.steered(priority)
