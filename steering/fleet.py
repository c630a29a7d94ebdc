"""The view of the fleet: every appliance as heartbeats, inventories and probes show it.

Pure: `now` (monotonic seconds) is an argument, nothing is sent from here, nothing is ranked here. Rules:

- (epoch, sequence) orders an appliance's heartbeats; older and repeated ones change nothing.
- What a stranger can make grow has a limit: appliances, prefixes, renditions. Beyond it the message is refused.
- The view is rebuilt from reports after a restart. Nothing here is written anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from control.wire import Heartbeat, Inventory
from steering.health import Health, Outcome, Thresholds, probed, words
from steering.holdings import Holdings, TitleSizes
from steering.prefixes import Address, Match, Network, PrefixTable, parse_prefixes
from steering.silence import Patience, fell_silent_together

Kind = Literal["ready", "unknown", "starting", "draining", "stopping", "broken", "silent", "new", "dead", "recovering"]
KINDS: tuple[Kind, ...] = (
    "ready",
    "unknown",
    "starting",
    "draining",
    "stopping",
    "broken",
    "silent",
    "new",
    "dead",
    "recovering",
)


class RefusedError(ValueError):
    """A report that cannot be taken. `fault` is `sender` (the message is wrong) or `full` (a limit of ours)."""

    def __init__(self, message: str, fault: Literal["sender", "full", "conflict"] = "sender") -> None:
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True)
class FleetLimits:
    """How large the view may grow."""

    appliances: int = 1000
    prefixes_each: int = 100_000
    renditions_each: int = 200_000


@dataclass(frozen=True)
class FleetRules:
    """When an appliance is usable, and how long it and its troubles are remembered (seconds)."""

    patience: Patience
    thresholds: Thresholds
    degraded_for_s: float = 60.0
    forget_after_s: float = 3600.0


@dataclass(frozen=True)
class Standing:
    """Whether an appliance may be used now (`kind` is `ready`), and the reason for a person to read."""

    kind: Kind
    words: str

    @property
    def usable(self) -> bool:
        """Whether players may be sent there."""
        return self.kind == "ready"


@dataclass(eq=False)
class Appliance:
    """One appliance. `heard_at` is when its last heartbeat came, or its first report of any kind."""

    name: str
    heard_at: float
    holdings: Holdings
    heartbeat: Heartbeat | None = None
    health: Health = field(default_factory=Health)
    networks: frozenset[Network] = frozenset()

    @property
    def load(self) -> float:
        """Egress as a share of capacity; 0 when the capacity is unknown."""
        beat = self.heartbeat
        return beat.egress_bps / beat.capacity_bps if beat is not None and beat.capacity_bps else 0.0

    @property
    def epoch(self) -> float:
        """When it started, in Unix seconds by its own clock."""
        return self.heartbeat.epoch if self.heartbeat is not None else 0.0


class Fleet:
    """Every appliance that reported lately. `reserved` names cannot be taken by one (the origin's pathway)."""

    def __init__(self, rules: FleetRules, limits: FleetLimits, *, reserved: frozenset[str], started_at: float) -> None:
        self.rules = rules
        self.started_at = started_at
        self.sizes = TitleSizes()
        self._limits = limits
        self._reserved = reserved
        self._appliances: dict[str, Appliance] = {}
        self._prefixes = PrefixTable()

    def __repr__(self) -> str:
        return f"<Fleet of {len(self)} appliances, {len(self._prefixes)} prefixes>"

    def __len__(self) -> int:
        return len(self._appliances)

    def __iter__(self) -> Iterator[Appliance]:
        return iter(self._appliances.values())

    def find(self, name: str) -> Appliance | None:
        """The appliance called `name`, or None."""
        return self._appliances.get(name)

    def heartbeat(self, beat: Heartbeat, now: float) -> Literal["new", "renewed", "restarted", "stale"]:
        """Take a heartbeat. Raises RefusedError when it is wrong or the view is full."""
        known = self._appliances.get(beat.appliance)
        old = known.heartbeat if known is not None else None
        if known is not None and old is not None and not self._is_newer(beat, old, known, now):
            if old.url != beat.url:
                raise RefusedError(
                    f"{beat.appliance} at {old.url} is newer; two appliances may not have one name", "conflict"
                )
            return "stale"
        networks = self._checked_networks(beat, known)
        appliance = known or self._admit(beat.appliance, now)
        self._renew(appliance, beat, networks, now)
        if old is None:
            return "new"
        return "restarted" if old.epoch != beat.epoch else "renewed"

    def _is_newer(self, beat: Heartbeat, old: Heartbeat, known: Appliance, now: float) -> bool:
        if (beat.epoch, beat.sequence) > (old.epoch, old.sequence):
            return True
        # A clock that was set back at a restart: believe it once the former life has fallen silent.
        return beat.epoch != old.epoch and now - known.heard_at > self.rules.patience.ttl_s

    def _checked_networks(self, beat: Heartbeat, known: Appliance | None) -> frozenset[Network]:
        if beat.appliance in self._reserved:
            raise RefusedError(f"the name {beat.appliance!r} is the origin's pathway; call the appliance otherwise")
        if len(beat.serves) > self._limits.prefixes_each:
            raise RefusedError(f"serves: {len(beat.serves)} prefixes; at most {self._limits.prefixes_each} are taken")
        if known is not None and known.heartbeat is not None and known.heartbeat.serves == beat.serves:
            return known.networks
        try:
            return parse_prefixes(beat.serves)
        except ValueError as error:
            raise RefusedError(f"serves{error}") from None

    def _admit(self, name: str, now: float) -> Appliance:
        if len(self._appliances) >= self._limits.appliances:
            raise RefusedError(f"{self._limits.appliances} appliances are known, which is the limit", "full")
        appliance = Appliance(name, now, Holdings(self.sizes), health=Health(since=now))
        self._appliances[name] = appliance
        return appliance

    def _renew(self, appliance: Appliance, beat: Heartbeat, networks: frozenset[Network], now: float) -> None:
        old = appliance.heartbeat
        if old is not None and old.url != beat.url:
            appliance.health = Health(since=now)
        marker = appliance.holdings.marker
        if old is not None and old.epoch != beat.epoch and marker is not None and marker[0] != beat.epoch:
            appliance.holdings.marker = None  # the next inventory must be a full one
        for network in appliance.networks - networks:
            self._prefixes.remove(network, appliance.name)
        for network in networks - appliance.networks:
            self._prefixes.add(network, appliance.name)
        appliance.networks = networks
        appliance.heartbeat = beat
        appliance.heard_at = now

    def inventory(self, inventory: Inventory, now: float) -> str:
        """Take an inventory: `take`, `stale`, or `gap` when a full one is needed. Raises RefusedError."""
        if inventory.appliance in self._reserved:
            raise RefusedError(f"the name {inventory.appliance!r} is the origin's pathway")
        known = self._appliances.get(inventory.appliance)
        held = 0 if inventory.full or known is None else known.holdings.renditions
        if held + len(inventory.held) - len(inventory.gone) > self._limits.renditions_each:
            raise RefusedError(f"held: more than {self._limits.renditions_each} renditions, which is the limit")
        if known is None and not inventory.full:
            return "gap"
        return (known or self._admit(inventory.appliance, now)).holdings.apply(inventory)

    def probed(self, name: str, outcome: Outcome, now: float, *, error: str = "", rtt_s: float = 0.0) -> Health | None:
        """Take a probe's outcome; the appliance's new health, None when it has been forgotten meanwhile."""
        appliance = self._appliances.get(name)
        if appliance is None:
            return None
        appliance.health = probed(appliance.health, outcome, now, self.rules.thresholds, error=error[:200], rtt_s=rtt_s)
        return appliance.health

    def forget(self, now: float) -> list[str]:
        """Drop appliances not heard of for long; their names."""
        gone = [each for each in self if now - each.heard_at > self.rules.forget_after_s]
        for appliance in gone:
            for network in appliance.networks:
                self._prefixes.remove(network, appliance.name)
            appliance.holdings.clear()
            del self._appliances[appliance.name]
        return [appliance.name for appliance in gone]

    def matches(self, client: Address) -> dict[str, Match]:
        """Each appliance that serves `client`, with the longest of its prefixes that does."""
        return self._prefixes.best_by_owner(client)

    def standing(self, appliance: Appliance, now: float) -> Standing:
        """Whether `appliance` may be used, and why (not)."""
        beat = appliance.heartbeat
        if beat is None:
            return Standing("unknown", "an inventory came, but no heartbeat yet")
        if beat.state != "ready":
            return Standing(beat.state, f"says it is {beat.state}")
        if beat.workers_ready == 0:
            return Standing("broken", f"none of its {beat.workers_configured} workers is ready")
        phase = appliance.health.phase
        if phase in ("new", "dead", "recovering"):
            return Standing(phase, words(appliance.health, self.rules.thresholds))
        return self._heard(appliance, now)

    def _heard(self, appliance: Appliance, now: float) -> Standing:
        age = now - appliance.heard_at
        if age <= self.rules.patience.ttl_s:
            return Standing("ready", words(appliance.health, self.rules.thresholds))
        if self._is_preserved(appliance, now):
            return Standing("ready", f"silent for {age:.0f} s together with much of the fleet, but answers probes")
        return Standing("silent", f"no heartbeat for {age:.1f} s; the limit is {self.rules.patience.ttl_s:g} s")

    def _is_preserved(self, appliance: Appliance, now: float) -> bool:
        others = (each.heard_at for each in self if each is not appliance and _is_expected(each))
        return fell_silent_together(appliance.heard_at, others, now, self.rules.patience)

    def trouble(self, appliance: Appliance, now: float) -> str | None:
        """What went wrong with `appliance` lately, for a person to read; None when nothing did."""
        died_at = appliance.health.died_at
        if died_at is not None and now - died_at <= self.rules.degraded_for_s:
            return f"{appliance.name} died {now - died_at:.0f} s ago"
        silent_for = now - appliance.heard_at - self.rules.patience.ttl_s
        if _is_expected(appliance) and 0 < silent_for <= self.rules.degraded_for_s:
            return f"{appliance.name} has been silent for {now - appliance.heard_at:.0f} s"
        return None


def _is_expected(appliance: Appliance) -> bool:
    return appliance.heartbeat is not None and appliance.heartbeat.state != "stopping"
