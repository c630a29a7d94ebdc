"""Carrying out the plan: what is missing, in the plan's order, inside its window, at its rate.

There is no state to lose: what is left to do is the plan minus the books, so a keeper killed in the middle
goes on where it was. One coroutine decides what is next; a bounded number of fetches runs beside it.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from dataclasses import dataclass, field

from control.kit.clock import Clock
from control.kit.logs import get_logger
from control.kit.metrics import Meter
from control.wire import FillPlan, FillReport, Hold, Source, held_indexes
from oca.config import ApplianceSettings
from oca.filler.agenda import delay_before, missing, phase, that_fit
from oca.filler.bucket import Bucket
from oca.filler.plans import PlanBook
from oca.filler.progress import Progress
from oca.store.layout import RenditionKey
from oca.store.shelves import Shelves
from oca.upstream.faults import RefusedError
from oca.upstream.flights import Flights
from oca.upstream.index import Indexes
from oca.upstream.ladder import ladder, next_step_at

WAITING_LIMIT = 1024
"""Jobs that wait to be tried again; while there are more, nothing new is begun."""

LOOK_AGAIN_S = 0.5
"""Longest sleep before the clock, the window and the plan are looked at again."""


@dataclass(order=True)
class _Job:
    """An object of a hold, or (`position` -1) finding out which objects it has."""

    due: float
    number: int
    hold: Hold = field(compare=False)
    position: int = field(compare=False, default=-1)
    attempt: int = field(compare=False, default=1)


class Filler:
    """Follows the plan in `plans`. Lifetime of the process."""

    def __init__(
        self,
        settings: ApplianceSettings,
        *,
        plans: PlanBook,
        shelves: Shelves,
        indexes: Indexes,
        flights: Flights,
        clock: Clock,
        meter: Meter,
    ) -> None:
        self.progress: Progress | None = None
        self._settings = settings.filler
        self._me = settings.appliance
        self._origin = Source(kind="cache", name=settings.origin.name, url=settings.origin.url)
        self._plans = plans
        self._shelves = shelves
        self._indexes = indexes
        self._flights = flights
        self._clock = clock
        self._meter = meter
        self._bucket = Bucket(0)
        self._numbers = itertools.count()
        self._repeat = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._log = get_logger()

    def __repr__(self) -> str:
        return f"<Filler: {self.progress!r}>"

    def start(self) -> None:
        """Begin to follow the plan."""
        self._task = asyncio.get_running_loop().create_task(self._live(), name="filler")

    async def stop(self) -> None:
        """Stop; what is being fetched for nobody else is given up."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def again(self) -> None:
        """Look at the plan anew: what was held may be gone, or more may fit."""
        self._repeat.set()

    def report(self) -> FillReport | None:
        """Progress of the plan, None without a plan."""
        if self.progress is None:
            return None
        return self.progress.report(self._shelves.books, me=self._me, now=self._clock.now())

    def pace(self, count: int) -> float:
        """`count` bytes came for the plan; seconds to rest."""
        return self._bucket.take(count, self._clock.monotonic())

    def received(self, source: Source, count: int) -> None:
        """`count` bytes came from `source` for the plan."""
        self._meter.inc("oca_fill_bytes_total", count, source=f"{source.kind}:{source.name}")
        if self.progress is not None:
            self.progress.received(source, count)

    # Plan after plan

    async def _live(self) -> None:
        while True:
            self._repeat.clear()
            work = asyncio.get_running_loop().create_task(self._follow(self._plans.current))
            turns = [
                asyncio.get_running_loop().create_task(turn.wait()) for turn in (self._plans.changed, self._repeat)
            ]
            try:
                await asyncio.wait({work, *turns}, return_when=asyncio.FIRST_COMPLETED)
                if work.done() and work.exception() is not None:
                    self._log.error("fill_crashed", error=repr(work.exception()))
                await asyncio.wait(turns, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (work, *turns):
                    task.cancel()
                await asyncio.gather(work, *turns, return_exceptions=True)

    async def _follow(self, plan: FillPlan | None) -> None:
        if plan is None:
            return
        holds, left_out = that_fit(plan, self._budget())
        progress = self.progress = Progress(plan, holds, left_out, before=self.progress)
        self._bucket = Bucket(plan.window.rate_bps)
        while phase(plan, self._clock.now()) == "before":
            await self._clock.sleep(min(LOOK_AGAIN_S, plan.window.start - self._clock.now()))
        progress.state = "running"
        self._log.info("fill_begun", plan=plan.id)
        complete = await self._carry_out(plan, progress)
        progress.state = "done" if complete and not left_out else "failed"
        report = self.report()
        assert report is not None
        self._log.info(
            "fill_ended",
            plan=plan.id,
            state=progress.state,
            objects=report.objects_done,
            of=report.objects_total,
            bytes=report.bytes_done,
            by_source=report.bytes_by_source,
        )

    async def _carry_out(self, plan: FillPlan, progress: Progress) -> bool:
        """Fetch what is missing until nothing is or the window ends; True when nothing is missing."""
        round_ = _Round([hold for hold in progress.holds if not self._complete(hold)])
        running: dict[asyncio.Task[None], _Job] = {}
        try:
            while phase(plan, self._clock.now()) == "open":
                now = self._clock.monotonic()
                while len(running) < self._settings.concurrency and (job := round_.next(now, self._numbers)):
                    running[asyncio.get_running_loop().create_task(self._do(job, round_))] = job
                if not running and not round_.waiting:
                    break
                await self._wait(set(running), round_)
                for task in [task for task in running if task.done()]:
                    self._settle(running.pop(task), task, round_, progress)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        return not round_.given_up and round_.empty and not running

    async def _wait(self, running: set[asyncio.Task[None]], round_: _Round) -> None:
        """Until a fetch ends, a retry is due, or it is time to look at the window again."""
        pause = LOOK_AGAIN_S
        if round_.waiting:
            pause = max(0.0, min(pause, round_.waiting[0].due - self._clock.monotonic()))
        if not running:
            await self._clock.sleep(pause)
            return
        nap = asyncio.get_running_loop().create_task(self._clock.sleep(pause))
        try:
            await asyncio.wait({*running, nap}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            nap.cancel()
            await asyncio.gather(nap, return_exceptions=True)

    # One job

    async def _do(self, job: _Job, round_: _Round) -> None:
        """Find out what a hold lacks, or fetch one object of it. Raises RefusedError, _TooEarlyError."""
        key = RenditionKey(job.hold.title, job.hold.rendition)
        sources = ladder(job.hold.sources, self._origin, now=self._clock.now(), me=self._me, via=(), urgent=False)
        if not sources:
            raise _TooEarlyError
        index = await self._indexes.get(key, sources, xxh3=job.hold.index_xxh3, account=self.received)
        entry = self._shelves.books.get(key)
        if job.position < 0:
            held = entry.bitmap if entry is not None and entry.index_xxh3 == index.xxh3 else b""
            round_.ready.extend(
                (job.hold, position) for position in missing(len(index.message.objects), held_indexes(held))
            )
            return
        if entry is not None and entry.index_xxh3 == index.xxh3 and entry.where(job.position) is not None:
            return
        await self._flights.fetch(index, job.position, sources=sources, pace=self.pace, account=self.received)
        self._meter.inc("oca_fill_objects_total")

    def _settle(self, job: _Job, task: asyncio.Task[None], round_: _Round, progress: Progress) -> None:
        """`task` ended: forget its job, or put it off."""
        error = task.exception()
        if error is None:
            return
        now = self._clock.monotonic()
        if isinstance(error, _TooEarlyError):
            opens = next_step_at(job.hold.sources, self._clock.now())
            wait_s = LOOK_AGAIN_S if opens is None else opens - self._clock.now()
            round_.put_off(_Job(now + wait_s, job.number, job.hold, job.position, job.attempt))
            return
        if not isinstance(error, RefusedError):
            raise error
        self._meter.inc("oca_fill_failures_total")
        progress.error(f"{job.hold.title}/{job.hold.rendition}: {error.reason}")
        if job.attempt >= self._settings.attempts:
            opens = next_step_at(job.hold.sources, self._clock.now())
            if opens is None:
                round_.given_up += 1
            else:
                round_.put_off(_Job(now + opens - self._clock.now(), job.number, job.hold, job.position, job.attempt))
            return
        wait_s = delay_before(job.attempt + 1, first_s=self._settings.retry_delay, limit_s=self._settings.retry_limit)
        round_.put_off(_Job(now + wait_s, job.number, job.hold, job.position, job.attempt + 1))

    def _complete(self, hold: Hold) -> bool:
        entry = self._shelves.books.get(RenditionKey(hold.title, hold.rendition))
        return entry is not None and entry.index_xxh3 == hold.index_xxh3 and entry.objects_held == entry.objects_total

    def _budget(self) -> int:
        return sum(max(0, disk.capacity_bytes - disk.reserve_bytes) for disk in self._shelves.usable)


class _TooEarlyError(Exception):
    """None of the plan's sources may be asked yet."""


class _Round:
    """What is left of one plan: holds not looked at, objects ready to fetch, jobs put off."""

    def __init__(self, holds: list[Hold]) -> None:
        self.holds = deque(holds)
        self.ready: deque[tuple[Hold, int]] = deque()
        self.waiting: list[_Job] = []
        self.given_up = 0

    @property
    def empty(self) -> bool:
        """Whether nothing is left to begin."""
        return not self.holds and not self.ready and not self.waiting

    def next(self, now: float, numbers: itertools.count[int]) -> _Job | None:
        """The job to begin now: one that was put off and is due, else the next of the plan."""
        if self.waiting and self.waiting[0].due <= now:
            return heapq.heappop(self.waiting)
        if len(self.waiting) >= WAITING_LIMIT:
            return None
        if self.ready:
            hold, position = self.ready.popleft()
            return _Job(now, next(numbers), hold, position)
        if self.holds:
            return _Job(now, next(numbers), self.holds.popleft())
        return None

    def put_off(self, job: _Job) -> None:
        """Try `job` again when it is due."""
        heapq.heappush(self.waiting, job)
