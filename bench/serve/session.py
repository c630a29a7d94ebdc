"""Everything a measurement stands on, in the order it is set up: network, cores, objects, servers. And its end."""

from __future__ import annotations

import contextlib
import datetime
import gc
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench.serve import certificate, machine, place
from bench.serve.asking import Ask, Sources, asks
from bench.serve.asking_once import ask_once, used_pool
from bench.serve.cells import RANGE_BYTES, Cell, Scheme
from bench.serve.collection import Collection, Eviction, Set, cold_set, hot_set
from bench.serve.connections import Pool, Target
from bench.serve.fleet import Fleet, Server, Setting, trusting
from bench.serve.machine import Cores, Ticks
from bench.serve.peers.peer import DESCRIPTORS_BESIDE, Peer
from bench.serve.peers.registry import OURS
from bench.serve.process import StartError
from bench.serve.report import LeftOut, Machine

HOT_OBJECTS = 64
COLD_OBJECTS = 512
COLD_MARGIN = 1.25
"""Cold objects for each connection that asks at once, at the least: none is asked again while it is being sent."""
CACHE_FETCHES = 3
DESCRIPTORS = 70_000
"""Descriptors that are asked for, so that pools of many servers can stay open."""

Say = Callable[[str], None]


@dataclass
class Bench:
    """What is set up."""

    collection: Collection
    servers: list[Server]
    cores: Cores
    descriptors: int
    left_out: list[LeftOut]
    say: Say
    probe: str
    network_note: str | None
    load_before: float
    ticks_before: Ticks
    monotonic: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep
    cold_objects: int = COLD_OBJECTS

    @contextlib.contextmanager
    def leaving_out(self, server: Server, where: str) -> Iterator[None]:
        """Go on without `server` when it fails in here. Raises StartError when it is ours."""
        try:
            yield
        except (OSError, StartError) as error:
            self.left_out.append(failure(server.peer, where, error))
            self.servers.remove(server)

    def target(self, server: Server, scheme: Scheme) -> Target:
        """How `server` is reached."""
        return Target(server.address(scheme), trusting() if scheme == "https" else None)

    def pool(self, server: Server, scheme: Scheme, connections: int) -> Pool:
        """That many connections to `server`, which have each been used once. Raises OSError."""
        target = self.target(server, scheme)
        request = target.request(self.probe, (0, RANGE_BYTES))
        return used_pool(target, connections, lambda: request, self.monotonic)

    def asks(self, cell: Cell, target: Target, eviction: Eviction) -> Ask:
        """The requests of `cell`; `eviction` evicts what is to be cold."""
        hot, cold = sets_of(cell, self.cold_objects)
        return asks(cell, target, Sources(hot, cold, self.collection, eviction))

    def fetch_all(self, server: Server, objects: Set) -> None:
        """Ask for every one of `objects`, whole: a cache may not keep what it got by range. Raises UserError.

        Caches are asked again: some take into memory only what is asked for once it is stored.
        """
        target = self.target(server, server.peer.schemes[0])
        times = CACHE_FETCHES if server.peer.caches else 1
        requests = [target.request(path) for path in objects.paths()] * times
        failures = 0
        with Pool(target, len(objects.paths()), self.monotonic) as pool:
            for start in range(0, len(requests), pool.count):
                following = iter(requests[start:]).__next__
                failures += ask_once(pool, following, self.monotonic, pool.links.values())
        if failures:
            raise StartError(f"{server.name}: {failures} of {len(requests)} objects could not be had")

    def machine(self) -> Machine:
        """The machine as it was until now."""
        steal = machine.steal_share(self.ticks_before, machine.ticks())
        return Machine(
            processor=machine.processor(),
            cores=os.cpu_count() or 1,
            kernel=platform.release(),
            congestion=machine.congestion(),
            network=self.network_note or "a namespace of its own",
            load_before=self.load_before,
            load_after=os.getloadavg()[0],
            steal_share=round(steal, 4),
            disturbed=machine.disturbed(load_before=self.load_before, cores=os.cpu_count() or 1, steal=steal),
            versions={server.name: server.peer.version() for server in self.servers},
        )


def sets_of(cell: Cell, cold_objects: int) -> tuple[Set, Set | None]:
    """The hot and the cold objects of a cell."""
    hot = hot_set(cell.object_bytes, HOT_OBJECTS)
    return hot, None if cell.state == "hot" else cold_set(cell.object_bytes, cold_objects)


@contextlib.contextmanager
def opened(
    peers: Sequence[Peer], cells: Sequence[Cell], say: Say, *, more: frozenset[Set] = frozenset()
) -> Iterator[Bench]:
    """Set everything up for `cells` and `more` objects, give it, and take it down again. Raises UserError."""
    load_before, ticks_before = os.getloadavg()[0], machine.ticks()
    most = max((cell.connections for cell in cells), default=0)
    descriptors = machine.allow_descriptors(most + DESCRIPTORS_BESIDE, DESCRIPTORS)
    network_note = machine.own_network()
    usable = os.sched_getaffinity(0)
    cores = machine.choose_cores(usable)
    cold_objects = max(
        COLD_OBJECTS, int(COLD_MARGIN * max((cell.active for cell in cells if cell.state != "hot"), default=0))
    )
    wanted = {each for cell in cells for each in sets_of(cell, cold_objects) if each is not None} | more
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(place.made())
        collection = Collection(directory / "disk")
        say(f"writing {sum(each.bytes * each.count for each in wanted) >> 20} MiB of objects")
        collection.make(wanted)
        chain, key = certificate.make(directory, now=datetime.datetime.now(datetime.UTC))
        setting = Setting(directory, collection.disk, chain, key, cores, descriptors)
        fleet = stack.enter_context(Fleet(setting, monotonic=time.monotonic, pause=time.sleep))
        probe = min(wanted, key=lambda each: each.rendition).paths()[0]
        servers, left_out = _started(fleet, peers, probe, say)
        stack.callback(os.sched_setaffinity, 0, usable)
        os.sched_setaffinity(0, {cores.client})
        stack.callback(gc.enable)
        gc.disable()
        bench = Bench(
            collection, servers, cores, descriptors, left_out, say, probe, network_note, load_before, ticks_before
        )
        bench.cold_objects = cold_objects
        yield bench


def failure(peer: Peer, where: str, error: Exception) -> LeftOut:
    """How it is told that a peer failed. Raises StartError when it is ours: then there is nothing to compare."""
    if peer.name == OURS:
        raise StartError(f"{peer.name}, {where}: {error}") from error
    return LeftOut(peer.name, f"{where}: {error}")


def _started(fleet: Fleet, peers: Sequence[Peer], probe: str, say: Say) -> tuple[list[Server], list[LeftOut]]:
    servers: list[Server] = []
    left_out: list[LeftOut] = []
    for peer in peers:
        missing = peer.missing()
        if missing is not None:
            left_out.append(LeftOut(peer.name, f"altogether: {missing} is not installed"))
            continue
        say(f"starting {peer.name}")
        try:
            servers.append(fleet.start(peer, probe))
        except (OSError, StartError) as error:
            left_out.append(failure(peer, "altogether", error))
            continue
        if peer.why_not:
            left_out.append(LeftOut(peer.name, f"in some cells, as {peer.why_not}"))
    return servers, left_out
