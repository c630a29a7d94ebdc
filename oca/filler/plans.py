"""The plan of this appliance: asked for from the planner, kept on disk, looked up by rendition.

The last plan outlives the planner and the keeper: with both restarted and the planner dead, the appliance
goes on from the copy in its run directory.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import aiohttp
from aiohttp import hdrs

from control.kit.errors import UnreachableError
from control.kit.logs import get_logger
from control.wire import MESSAGE_LIMIT_BYTES, Evict, FillPlan, Hold, Source, WireError, decode, encode
from oca.store.layout import RenditionKey


class PlanBook:
    """The plan that is followed, and an event for whoever waits for the next."""

    def __init__(self, file: Path, *, me: str) -> None:
        self.current: FillPlan | None = None
        self.changed = asyncio.Event()
        self._file = file
        self._me = me
        self._holds: dict[RenditionKey, Hold] = {}
        self._log = get_logger()

    def __repr__(self) -> str:
        return f"<PlanBook {self.current.id if self.current else 'empty'}, {len(self._holds)} holds>"

    def load(self) -> None:
        """Take the copy on disk, if there is one that can be read."""
        try:
            plan = decode(self._file.read_bytes(), FillPlan)
        except FileNotFoundError:
            return
        except (OSError, WireError) as error:
            self._log.warning("plan_unreadable", file=str(self._file), error=str(error))
            return
        if plan.appliance == self._me:
            self._adopt(plan)

    def take(self, plan: FillPlan) -> bool:
        """Follow `plan` from now on and keep a copy. False when it is the one that is followed."""
        if plan.appliance != self._me:
            raise UnreachableError(f"the planner sent the plan of {plan.appliance} to {self._me}")
        if plan == self.current:
            return False
        temporary = self._file.with_suffix(".new")
        try:
            with temporary.open("wb") as stream:
                stream.write(encode(plan))
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(self._file)
        except OSError as error:
            self._log.error("plan_not_kept", file=str(self._file), error=str(error))
        self._adopt(plan)
        return True

    def hold(self, key: RenditionKey) -> Hold | None:
        """What the plan says of `key`."""
        return self._holds.get(key)

    def sources(self, key: RenditionKey) -> tuple[Source, ...]:
        """Where the plan says to fetch `key` from."""
        found = self._holds.get(key)
        return found.sources if found is not None else ()

    @property
    def planned(self) -> list[RenditionKey]:
        """Every rendition the plan holds."""
        return list(self._holds)

    def hold_of(self, title: str, rendition: str) -> Hold | None:
        """What the plan holds of a rendition, by names."""
        return self._holds.get(RenditionKey(title, rendition))

    def evict_of(self, title: str, rendition: str) -> Evict | None:
        """The plan's word that a rendition may go."""
        evicts = self.current.evict if self.current is not None else ()
        return next((each for each in evicts if (each.title, each.rendition) == (title, rendition)), None)

    def _adopt(self, plan: FillPlan) -> None:
        self.current = plan
        self._holds = {RenditionKey(hold.title, hold.rendition): hold for hold in plan.hold}
        self.changed.set()
        self.changed = asyncio.Event()
        self._log.info("plan_taken", plan=plan.id, holds=len(plan.hold), evicts=len(plan.evict))


class PlanPoll:
    """Asks the planner for this appliance's plan; unchanged plans cost a 304."""

    def __init__(self, url: str, *, me: str, timeout_s: float) -> None:
        self._url = f"{url.rstrip('/')}/v1/plans/{me}"
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._etag = ""
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"<PlanPoll {self._url}>"

    async def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(self) -> FillPlan | None:
        """The plan when it is another than last time; None when it is not, or when none is made yet.

        Raises UnreachableError when the planner cannot be asked.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        headers = {hdrs.IF_NONE_MATCH: self._etag} if self._etag else {}
        try:
            async with self._session.get(self._url, headers=headers) as answer:
                if answer.status in (304, 404):
                    return None
                if answer.status != 200:
                    raise UnreachableError(f"the planner at {self._url} answered {answer.status}")
                body = await answer.content.read(MESSAGE_LIMIT_BYTES + 1)
                plan = decode(body, FillPlan)
                self._etag = answer.headers.get(hdrs.ETAG, "")
                return plan
        except TimeoutError as error:
            raise UnreachableError(f"the planner at {self._url} did not answer in {self._timeout.total} s") from error
        except aiohttp.ClientError as error:
            raise UnreachableError(f"the planner at {self._url} cannot be reached: {error}") from error
        except WireError as error:
            raise UnreachableError(f"the planner at {self._url} sent no plan: {error}") from error
