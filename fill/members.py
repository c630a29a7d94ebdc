"""The appliances to plan for, as their heartbeats and inventories show them.

Pure: `now` (monotonic seconds) is an argument. In memory only: after a restart the appliances tell it
again within seconds. Rules: (epoch, sequence) orders reports; repeated and overtaken ones change
nothing; a gap in inventories asks for a full one; what a stranger can make grow has a limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from control.wire import DiskReport, Heartbeat, Inventory, succession
from fill.demand import Key


class RefusedError(ValueError):
    """A report that cannot be taken. `fault` is `sender` (the message is wrong) or `full` (a limit of ours)."""

    def __init__(self, message: str, fault: Literal["sender", "full", "conflict"] = "sender") -> None:
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True)
class Held:
    """What is held of one rendition."""

    bytes: int
    complete: bool


@dataclass(frozen=True)
class MemberLimits:
    """How many, and when (seconds) a silent one is no member any more and when it is forgotten."""

    appliances: int = 1000
    renditions_each: int = 200_000
    ttl_s: float = 30.0
    inventory_grace_s: float = 10.0
    forget_after_s: float = 86_400.0


@dataclass(eq=False)
class Member:
    """One appliance. `first_at` and `heard_at`: its first and last heartbeat."""

    name: str
    first_at: float
    heard_at: float
    heartbeat: Heartbeat | None = None
    marker: tuple[float, int] | None = None
    held: dict[Key, Held] = field(default_factory=dict)

    @property
    def capacity_bytes(self) -> int:
        """Bytes that a plan may use on all its disks together."""
        return sum(plannable_bytes(disk) for disk in self.heartbeat.disks) if self.heartbeat is not None else 0


def plannable_bytes(disk: DiskReport) -> int:
    """Bytes of one disk that a plan may use: nothing of a lost one, what is there of one that cannot be written."""
    if disk.state in ("failed", "missing"):
        return 0
    if disk.state == "readonly":
        return disk.used_bytes
    return max(disk.capacity_bytes - disk.reserve_bytes, 0)


class Members:
    """Every appliance that reported lately. Nobody may be called as the origin is."""

    def __init__(self, limits: MemberLimits, *, origin: str) -> None:
        self.limits = limits
        self._origin = origin
        self._members: dict[str, Member] = {}

    def __repr__(self) -> str:
        return f"<Members {len(self._members)}>"

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members.values())

    def find(self, name: str) -> Member | None:
        """The appliance called `name`, or None."""
        return self._members.get(name)

    def heartbeat(self, beat: Heartbeat, now: float) -> Literal["new", "renewed", "restarted", "stale"]:
        """Take a heartbeat. Raises RefusedError when it is wrong or there are too many appliances."""
        known = self._members.get(beat.appliance)
        old = known.heartbeat if known is not None else None
        if known is not None and old is not None and not self._is_newer(beat, old, known, now):
            if old.url != beat.url:
                raise RefusedError(
                    f"{beat.appliance} at {old.url} is newer; two appliances may not have one name", "conflict"
                )
            return "stale"
        member = known or self._admit(beat.appliance, now)
        if old is not None and old.epoch != beat.epoch and member.marker is not None:
            member.marker = member.marker if member.marker[0] == beat.epoch else None
        member.heartbeat, member.heard_at = beat, now
        if old is None:
            member.first_at = now
            return "new"
        return "restarted" if old.epoch != beat.epoch else "renewed"

    def _is_newer(self, beat: Heartbeat, old: Heartbeat, known: Member, now: float) -> bool:
        if (beat.epoch, beat.sequence) > (old.epoch, old.sequence):
            return True
        # A clock that was set back at a restart: believe it once the former life has fallen silent.
        return beat.epoch != old.epoch and now - known.heard_at > self.limits.ttl_s

    def _admit(self, name: str, now: float) -> Member:
        if name == self._origin:
            raise RefusedError(f"the name {name!r} is the origin's; call the appliance otherwise")
        if len(self._members) >= self.limits.appliances:
            raise RefusedError(f"{self.limits.appliances} appliances are known, which is the limit", "full")
        member = self._members[name] = Member(name, now, now)
        return member

    def inventory(self, inventory: Inventory, now: float) -> Literal["take", "stale", "gap"]:
        """Take an inventory; `gap` when a full one is needed. Raises RefusedError."""
        known = self._members.get(inventory.appliance)
        verdict = succession(known.marker if known is not None else None, inventory)
        if verdict != "take":
            return verdict
        before = 0 if inventory.full or known is None else len(known.held)
        if before + len(inventory.held) - len(inventory.gone) > self.limits.renditions_each:
            raise RefusedError(f"held: more than {self.limits.renditions_each} renditions, which is the limit")
        member = known or self._admit(inventory.appliance, now)
        _apply(member, inventory)
        return "take"

    def is_live(self, member: Member, now: float) -> bool:
        """Whether others can count on it: heard lately and not stopping."""
        beat = member.heartbeat
        return beat is not None and beat.state != "stopping" and now - member.heard_at <= self.limits.ttl_s

    def waiting_for(self, member: Member, now: float) -> str:
        """Why no plan can be made for `member` yet; empty when one can.

        Without knowing what it holds, a plan would move things for nothing; but not for ever.
        """
        if member.heartbeat is None:
            return "its first heartbeat"
        if not self.is_live(member, now):
            return f"a heartbeat; the last came {now - member.heard_at:.0f} s ago and said {member.heartbeat.state}"
        if member.marker is None and now - member.first_at < self.limits.inventory_grace_s:
            return "its inventory"
        return ""

    def forget(self, now: float) -> list[str]:
        """Drop appliances not heard of for long; their names."""
        gone = [each.name for each in self if now - each.heard_at > self.limits.forget_after_s]
        for name in gone:
            del self._members[name]
        return gone


def _apply(member: Member, inventory: Inventory) -> None:
    if inventory.full:
        member.held = {}
    for key in inventory.gone:
        member.held.pop(key, None)
    for row in inventory.held:
        if row.objects_held:
            member.held[row.title, row.rendition] = Held(row.bytes_held, row.complete)
        else:
            member.held.pop((row.title, row.rendition), None)
    member.marker = (inventory.epoch, inventory.sequence)
