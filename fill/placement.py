"""Which renditions each appliance of a cluster should hold.

Pure. Value per byte, greedily into the room there is (on 100 k files this is within a fraction of a
per cent of the linear-programming bound). Rules:

- Pinned renditions first, then protected ones already held, then by value.
- A further copy in the cluster is worth less than the first: tails are held once, hits many times.
- What is held is worth a little more than what must be fetched, so equals do not change places.
- Only so many bytes are displaced per plan: churn costs the far link and the disks.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from control.kit.quantity import human_bytes
from fill.demand import Key
from fill.hashing import ranked

Ground = Literal["pinned", "protected", "value"]
GROUNDS: tuple[Ground, ...] = ("pinned", "protected", "value")
PINNED, PROTECTED, BY_VALUE = range(len(GROUNDS))


@dataclass(frozen=True)
class Item:
    """A rendition: its bytes on disk, and the bytes it is expected to serve until the next fill, per byte."""

    key: Key
    bytes: int
    value: float


@dataclass(frozen=True)
class Room:
    """An appliance: bytes that a plan may use, and bytes held per rendition."""

    appliance: str
    capacity_bytes: int
    held: Mapping[Key, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Policy:
    """The knobs. `churn_share`: displaced bytes per plan as a share of capacity."""

    churn_share: float = 0.1
    copy_discount: float = 0.5
    keep_bonus: float = 0.2


@dataclass(frozen=True)
class Choice:
    """A rendition to hold: which copy of the cluster it is (0 first), its worth here, and on what ground."""

    item: Item
    copy: int
    value: float
    ground: Ground


@dataclass(frozen=True)
class Placed:
    """One appliance's part: what to hold, most valuable first; why others are left; what may go, least first."""

    hold: tuple[Choice, ...]
    left: Mapping[Key, str]
    evict: tuple[Key, ...]


def place(
    items: Sequence[Item], rooms: Sequence[Room], *, pinned: Set[Key], protected: Set[Key], policy: Policy
) -> dict[str, Placed]:
    """Each appliance's part of the cluster's plan. The order of `items` and `rooms` does not matter."""
    shelves = {room.appliance: _Shelf(room, policy) for room in rooms}
    lists = _Lists(rooms, pinned, protected, policy)
    waiting = [offer for item in items for offer in lists.first(item)]
    heapq.heapify(waiting)
    while waiting:
        offer = heapq.heappop(waiting)
        taken = shelves[offer.appliance].consider(offer)
        for following in lists.after(offer, taken=taken):
            heapq.heappush(waiting, following)
    known = {item.key for item in items}
    return {name: shelf.placed(known) for name, shelf in shelves.items()}


class _Offer(NamedTuple):
    """A copy of a rendition for the appliance at `position` of the rendition's list. The smallest goes first.

    Compared as a tuple: key and position together are unique, so what follows them never is.
    """

    rank: int
    minus_weight: float
    copy: int
    key: Key
    position: int
    appliance: str
    item: Item
    value: float


class _Lists:
    """In which order each rendition is offered: to who holds most of it, then by rendezvous on its title.

    All renditions of a title thus tend to the same appliance. A copy that one refuses is offered to the
    next at the same worth; a copy that one takes makes the next worth less.
    """

    def __init__(self, rooms: Sequence[Room], pinned: Set[Key], protected: Set[Key], policy: Policy) -> None:
        self._rooms = {room.appliance: room for room in rooms}
        self._weights = {room.appliance: float(room.capacity_bytes) for room in rooms}
        self._pinned = pinned
        self._protected = protected
        self._policy = policy
        self._by_title: dict[str, list[str]] = {}
        self._by_key: dict[Key, list[str]] = {}

    def first(self, item: Item) -> Iterator[_Offer]:
        """The first offer of `item`; none when there is nobody."""
        title = item.key[0]
        if title not in self._by_title:
            self._by_title[title] = ranked(title, self._weights)
        order = sorted(self._by_title[title], key=lambda name: -self._rooms[name].held.get(item.key, 0))
        self._by_key[item.key] = order
        yield from self._offer(item, 0, 0)

    def after(self, offer: _Offer, *, taken: bool) -> Iterator[_Offer]:
        """What to offer next after `offer`."""
        yield from self._offer(offer.item, offer.position + 1, offer.copy + taken)

    def _offer(self, item: Item, position: int, copy: int) -> Iterator[_Offer]:
        order = self._by_key[item.key]
        if position == len(order):
            return
        name = order[position]
        held = self._rooms[name].held.get(item.key, 0)
        part = min(held / item.bytes, 1.0) if item.bytes else 1.0
        value = item.value * self._policy.copy_discount**copy
        weight = value * (1 + self._policy.keep_bonus * part)
        yield _Offer(self._rank(item.key, held), -weight, copy, item.key, position, name, item, value)

    def _rank(self, key: Key, held: int) -> int:
        if key in self._pinned:
            return PINNED
        return PROTECTED if held and key in self._protected else BY_VALUE


class _Shelf:
    """One appliance while its plan is made."""

    def __init__(self, room: Room, policy: Policy) -> None:
        self._room = room
        self._free = max(room.capacity_bytes - sum(room.held.values()), 0)
        self._churn_left = int(room.capacity_bytes * policy.churn_share)
        self._displaced = 0
        self._used = 0
        self._hold: list[Choice] = []
        self._left: dict[Key, str] = {}

    def consider(self, offer: _Offer) -> bool:
        """Take the offer, or note why not."""
        reason = self._refusal(offer)
        if reason:
            self._left[offer.item.key] = reason
            return False
        self._used += offer.item.bytes
        missing = self._missing(offer.item)
        displacing = max(missing - self._free, 0)
        self._free -= missing - displacing
        self._churn_left -= displacing
        self._displaced += displacing
        self._hold.append(Choice(offer.item, offer.copy, offer.value, GROUNDS[offer.rank]))
        return True

    def _refusal(self, offer: _Offer) -> str:
        room = self._room.capacity_bytes - self._used
        if offer.item.bytes > room:
            return f"needs {human_bytes(offer.item.bytes)}; {human_bytes(room)} are left after what is worth more"
        displacing = self._missing(offer.item) - self._free
        if offer.rank != PINNED and self._displaced and displacing > self._churn_left:
            limit = human_bytes(max(self._churn_left, 0))
            return f"would displace {human_bytes(displacing)}; the churn limit leaves {limit}"
        return ""

    def _missing(self, item: Item) -> int:
        return max(item.bytes - self._room.held.get(item.key, 0), 0)

    def placed(self, known: Set[Key]) -> Placed:
        """The outcome. `known` renditions are in the catalog; others held must go."""
        wanted = {choice.item.key for choice in self._hold}
        strangers = sorted(key for key in self._room.held if key not in known)
        surplus = [key for key in reversed(list(self._left)) if key in self._room.held and key not in wanted]
        excess = sum(self._room.held.values()) + sum(self._missing(choice.item) for choice in self._hold)
        excess -= self._room.capacity_bytes + sum(self._room.held[key] for key in strangers)
        evict = list(strangers)
        for key in surplus:
            if excess <= 0:
                break
            evict.append(key)
            excess -= self._room.held[key]
        return Placed(tuple(self._hold), self._left, tuple(evict))
