"""The plans of one cluster: forecast, placement, sources and window put together.

Pure: everything is in the `Job`. A plan's id is a digest of what it asks for, so making the same plan
again gives the same id, and an appliance that has it need not begin anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import xxhash

from control.kit.quantity import human_bytes
from control.wire import Evict, FillPlan, FillWindow, Hold, Rendition, Title
from fill.demand import Expectation, History, Key, forecast
from fill.members import Held
from fill.placement import Choice, Item, Placed, Policy, Room, place
from fill.sources import Far, Peer, Sharing, share, sources_of
from fill.window import WindowRule, next_window


@dataclass(frozen=True)
class Machine:
    """A live appliance at the moment of planning."""

    name: str
    url: str
    capacity_bytes: int
    window: WindowRule
    held: Mapping[Key, Held]

    def held_bytes(self, key: Key, items: Mapping[Key, Item]) -> int:
        """Bytes held of a rendition. Inventories do not count its index, so who has all objects has all bytes."""
        held, item = self.held.get(key), items.get(key)
        if held is None:
            return 0
        return item.bytes if held.complete and item is not None else held.bytes


@dataclass(frozen=True)
class Terms:
    """What all clusters have in common. `escalation_s`: head start of fill masters over the origin."""

    origin_name: str
    origin_url: str
    escalation_s: float
    policy: Policy


@dataclass(frozen=True)
class Job:
    """All that the plans of one cluster depend on. `now` in Unix seconds."""

    cluster: str
    machines: tuple[Machine, ...]
    titles: tuple[Title, ...]
    here: History
    anywhere: History
    pinned: frozenset[Key]
    protected: frozenset[Key]
    terms: Terms
    now: float


@dataclass(frozen=True)
class ClusterPlan:
    """The plans by appliance, and what they were made of, for explanations."""

    expected: Mapping[Key, Expectation]
    items: Mapping[Key, Item]
    placed: Mapping[str, Placed]
    plans: Mapping[str, FillPlan]


def plan_cluster(job: Job) -> ClusterPlan:
    """What every machine of the cluster should hold, and from whom it fetches what is missing."""
    renditions = {(title.id, each.id): each for title in job.titles for each in title.renditions}
    expected = forecast(job.titles, job.here, job.anywhere, job.now)
    items = {key: _item(key, each, expected[key]) for key, each in renditions.items()}
    rooms = [Room(m.name, m.capacity_bytes, {key: m.held_bytes(key, items) for key in m.held}) for m in job.machines]
    placed = place(list(items.values()), rooms, pinned=job.pinned, protected=job.protected, policy=job.terms.policy)
    draft = _Draft(job, renditions, expected, _sharing(job, placed))
    plans = {machine.name: draft.plan(machine, placed[machine.name]) for machine in job.machines}
    return ClusterPlan(expected, items, placed, plans)


def _item(key: Key, rendition: Rendition, expected: Expectation) -> Item:
    size = rendition.bytes + rendition.index_bytes
    return Item(key, size, expected.bytes / size if size else 0.0)


def _sharing(job: Job, placed: Mapping[str, Placed]) -> dict[Key, Sharing]:
    """Who should hold each rendition after this plan, and thus can give it to others; and who is its master."""
    peers: dict[Key, list[Peer]] = {}
    for machine in sorted(job.machines, key=lambda each: each.name):
        for choice in placed[machine.name].hold:
            held = machine.held.get(choice.item.key)
            peer = Peer(machine.name, machine.url, complete=held is not None and held.complete)
            peers.setdefault(choice.item.key, []).append(peer)
    return {key: share("/".join(key), found) for key, found in peers.items()}


@dataclass(frozen=True)
class _Draft:
    """What writing the plans of one cluster needs."""

    job: Job
    renditions: Mapping[Key, Rendition]
    expected: Mapping[Key, Expectation]
    sharing: Mapping[Key, Sharing]

    def plan(self, machine: Machine, placed: Placed) -> FillPlan:
        window = next_window(machine.window, self.job.now)
        plan = FillPlan(
            id="unnamed",
            appliance=machine.name,
            made_at=self.job.now,
            window=window,
            hold=tuple(self._hold(machine, choice, window) for choice in placed.hold),
            evict=tuple(self._evict(machine, placed, key) for key in placed.evict),
        )
        return msgspec.structs.replace(plan, id=digest(plan))

    def _hold(self, machine: Machine, choice: Choice, window: FillWindow) -> Hold:
        key = choice.item.key
        rendition, sharing, terms = self.renditions[key], self.sharing[key], self.job.terms
        origin = Far(terms.origin_name, terms.origin_url, max(self.job.now, window.start) + terms.escalation_s)
        return Hold(
            title=key[0],
            rendition=key[1],
            bytes=rendition.bytes,
            objects=rendition.objects,
            index_bytes=rendition.index_bytes,
            index_xxh3=rendition.index_xxh3,
            value=round(choice.value, 6),
            reason=self._why(machine, choice),
            master=sharing.master.name == machine.name,
            pinned=choice.ground == "pinned",
            sources=sources_of(machine.name, sharing, origin),
        )

    def _why(self, machine: Machine, choice: Choice) -> str:
        held = machine.held.get(choice.item.key)
        parts = {
            "pinned": ["pinned"],
            "protected": ["released lately"],
            "value": [],
        }[choice.ground]
        parts.append(grounds(self.expected[choice.item.key], self.job.here.days))
        if choice.copy:
            parts.append(f"copy {choice.copy + 1} in its cluster")
        if held is not None:
            parts.append("held already" if held.complete else f"{human_bytes(held.bytes)} held already")
        return "; ".join(parts)

    def _evict(self, machine: Machine, placed: Placed, key: Key) -> Evict:
        reason = (
            f"worth less than what is held instead: {placed.left[key]}" if key in placed.left else "not in the catalog"
        )
        return Evict(title=key[0], rendition=key[1], bytes=machine.held[key].bytes, reason=reason)


def grounds(expected: Expectation, days: float) -> str:
    """What an expectation rests on, for a person to read."""
    if expected.asked_here:
        return f"viewers here took {human_bytes(expected.asked_here)} in {days:.1f} days"
    if expected.asked_anywhere:
        return f"viewers elsewhere took {human_bytes(expected.asked_anywhere)}"
    return "nobody asked yet: expected by its age"


def digest(plan: FillPlan) -> str:
    """A name for what `plan` asks for, the same whenever that is the same."""
    content = (_core(plan), sorted(_evicted(plan)))
    return f"p-{xxhash.xxh3_128_hexdigest(msgspec.json.encode(content))[:20]}"


def supersedes(new: FillPlan, old: FillPlan | None) -> bool:
    """Whether `new` asks for anything that `old` does not.

    The order of equal wishes, forecasts and further sources move all the time; evictions already carried
    out leave the list. None of these is a reason to send an appliance a new plan.
    """
    return old is None or _core(new) != _core(old) or not _evicted(new) <= _evicted(old)


def _core(plan: FillPlan) -> tuple[object, ...]:
    holds = sorted(
        (
            hold.title,
            hold.rendition,
            hold.bytes,
            hold.objects,
            hold.index_bytes,
            hold.index_xxh3,
            hold.master,
            hold.pinned,
            [(source.kind, source.name, source.url) for source in (hold.sources[0], hold.sources[-1])],
        )
        for hold in plan.hold
    )
    return (plan.appliance, plan.window.start, plan.window.end, plan.window.rate_bps, holds)


def _evicted(plan: FillPlan) -> set[Key]:
    return {(evict.title, evict.rendition) for evict in plan.evict}
