"""Asking every appliance ourselves whether it answers. What the answers mean is in `health.py`.

A round probes all appliances at once, each with its own connection (a process that accepts nobody new is
dead to players) and a time limit. Redirects are not followed; 2xx is the only good answer.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from types import TracebackType

import aiohttp

from control.kit.clock import Clock
from control.kit.logs import get_logger
from control.kit.metrics import Meter
from steering.config import ProbeSettings
from steering.fleet import Appliance, Fleet
from steering.health import Health, Outcome

PATH = "/healthz"


class Prober:
    """Rounds of probes over the fleet's view. `changed` hears of every change of an appliance's health."""

    def __init__(self, fleet: Fleet, settings: ProbeSettings, clock: Clock, meter: Meter) -> None:
        self._fleet = fleet
        self._settings = settings
        self._clock = clock
        self._meter = meter
        self._log = get_logger()
        self._session: aiohttp.ClientSession | None = None
        self._places = asyncio.Semaphore(settings.concurrency)

    def __repr__(self) -> str:
        return f"<Prober of {self._fleet!r}>"

    async def __aenter__(self) -> Prober:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close what is open."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def round(self) -> None:
        """Probe every appliance that has said where it is."""
        targets = [(each.name, each.heartbeat.url) for each in self._fleet if each.heartbeat is not None]
        await asyncio.gather(*(self._probe(name, url) for name, url in targets))

    async def _probe(self, name: str, url: str) -> None:
        async with self._places:
            started = self._clock.monotonic()
            error = await self._ask(url.rstrip("/") + PATH)
            took = self._clock.monotonic() - started
        appliance = self._fleet.find(name)
        if appliance is None or appliance.heartbeat is None or appliance.heartbeat.url != url:
            return  # forgotten or moved meanwhile
        outcome: Outcome = "failed" if error else "ok"
        self._meter.inc("oca_steering_probes_total", outcome=outcome)
        if not error:
            self._meter.observe("oca_steering_probe_seconds", took)
        before = appliance.health
        after = self._fleet.probed(name, outcome, self._clock.monotonic(), error=error, rtt_s=took)
        assert after is not None, name
        self._tell(appliance, before, after)

    async def _ask(self, url: str) -> str:
        """What is wrong with the answer; empty when it is good."""
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=self._settings.concurrency, force_close=True)
            self._session = aiohttp.ClientSession(connector=connector)
        timeout = aiohttp.ClientTimeout(total=self._settings.timeout)
        try:
            async with self._session.get(url, timeout=timeout, allow_redirects=False) as answer:
                return "" if 200 <= answer.status < 300 else f"{url} answered {answer.status}"
        except asyncio.TimeoutError:
            return f"no answer in {self._settings.timeout:g} s"
        except aiohttp.ClientConnectorError as error:
            number = error.os_error.errno
            return os.strerror(number).lower() if number and number > 0 else f"cannot connect: {error.os_error}"
        except (aiohttp.ClientError, ValueError) as error:
            return f"{type(error).__name__}: {error}"

    def _tell(self, appliance: Appliance, before: Health, after: Health) -> None:
        if before.phase == after.phase:
            return
        self._meter.inc("oca_steering_transitions_total", to=after.phase)
        log: Callable[..., object] = self._log.warning if after.phase == "dead" else self._log.info
        log("health_changed", appliance=appliance.name, before=before.phase, now=after.phase, error=after.error)
