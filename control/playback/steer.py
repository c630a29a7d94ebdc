"""Asking steering, briefly: a player that starts waits for this, and steering being dead must not stop it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from control.kit.client import ServiceClient
from control.kit.clock import Clock
from control.kit.errors import UnreachableError
from control.kit.logs import get_logger
from control.kit.metrics import Meter, Metric
from control.playback.breaker import Breaker
from control.playback.pathways import Chosen, Remembered, listed, network_of, stand_in
from control.wire import RankedPathway, SteeringDecision, SteeringQuery, decode, encode

METRICS = (
    Metric(
        "oca_control_steering_asked_total",
        "counter",
        "Decisions asked of steering, by outcome; skipped: it failed just before and was not asked",
        ("outcome",),
    ),
)


class Memory(Protocol):
    """Where earlier decisions are found."""

    def remembered(self, network: str, title: str) -> list[Remembered]:
        """The earlier decisions nearest to `network` and `title`."""


class Steerer:
    """Chooses pathways: steering's decision, or what stands in for it. `choose` never fails."""

    def __init__(
        self,
        steering: ServiceClient,
        memory: Memory,
        *,
        origin: RankedPathway,
        pathways_limit: int,
        breaker: Breaker,
        clock: Clock,
        meter: Meter,
    ) -> None:
        self._steering = steering
        self._memory = memory
        self._origin = origin
        self._limit = pathways_limit
        self._breaker = breaker
        self._clock = clock
        self._meter = meter
        self._silent = False
        self._log = get_logger()

    def __repr__(self) -> str:
        return f"<Steerer {self._steering.base_url}, {self._breaker!r}>"

    async def choose(self, *, client: str, title: str, session: str) -> Chosen:
        """The pathways for a session that begins, best first."""
        decision = await self._asked(SteeringQuery(client=client, title=title, session=session))
        if decision is not None and decision.pathways:
            pathways = listed(decision.pathways, self._origin, limit=self._limit)
            return Chosen(decision=decision.id, pathways=pathways, steered=True)
        network = network_of(client)
        earlier: Sequence[Remembered] = self._memory.remembered(network, title)
        return stand_in(earlier, self._origin, network=network, title=title, now=self._clock.now(), limit=self._limit)

    async def _asked(self, query: SteeringQuery) -> SteeringDecision | None:
        if not self._breaker.allows(self._clock.monotonic()):
            self._meter.inc("oca_control_steering_asked_total", outcome="skipped")
            return None
        try:
            decision = await self._steering.post(
                "/v1/decisions", encode(query), lambda body: decode(body, SteeringDecision)
            )
        except UnreachableError as error:
            self._breaker.failed(self._clock.monotonic())
            self._meter.inc("oca_control_steering_asked_total", outcome="failed")
            self._note(silent=True, words=str(error))
            return None
        self._breaker.succeeded()
        self._meter.inc("oca_control_steering_asked_total", outcome="answered")
        self._note(silent=False)
        return decision

    def _note(self, *, silent: bool, words: str = "") -> None:
        if silent and not self._silent:
            self._log.warning("steering_silent", error=words, instead="the last known decision, then the origin")
        elif self._silent and not silent:
            self._log.info("steering_answers_again")
        self._silent = silent
