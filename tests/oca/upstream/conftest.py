"""Flights over real sockets into a real store."""

import pytest

from oca.keeper.stowage import Stowage
from oca.policy.lru import Lru
from oca.upstream.flights import Flights
from oca.upstream.index import Indexes
from oca.upstream.source import Upstream
from oca.upstream.trust import Trust


class Nobody:
    """No workers to tell."""

    def __init__(self):
        self.told = []

    def gone(self, prefix):
        self.told.append(prefix)

    async def flushed(self):
        pass


class Ear:
    """A listener that writes down what it hears and copies what it may send, as a worker does."""

    def __init__(self):
        self.heard = []
        self.sent = b""
        self._path = None

    def growing(self, key, path, length, available):
        assert not self.heard, "growing comes first and once"
        assert 0 < available <= length or length == 0
        self.heard.append("growing")
        self._path, self._file, self.length = path, open(path, "rb", buffering=0), length  # noqa: SIM115 - held as a worker would
        self._send(available)

    def grown(self, key, available):
        assert self.heard[0] == "growing"
        assert "stored" not in self.heard
        assert available > len(self.sent)
        self.heard.append("grown")
        self._send(available)

    def stored(self, key, path):
        assert self.heard[0] == "growing"
        self.heard.append("stored")
        self._file.close()

    def refused(self, key, status, reason):
        assert not self.heard, "refused comes instead of everything else"
        self.heard.append((status, reason))

    def failed(self, key, reason):
        assert self.heard[0] == "growing"
        assert self.heard[-1] not in ("stored", "failed")
        self.heard.append("failed")
        self._file.close()

    def _send(self, available):
        while len(self.sent) < available:
            self.sent += self._file.read(available - len(self.sent))

    @property
    def over(self):
        return bool(self.heard) and (self.heard[-1] in ("stored", "failed") or isinstance(self.heard[-1], tuple))


class Air:
    """Everything a flight needs."""

    def __init__(self, world, settings, shelves):
        self.world, self.shelves = world, shelves
        self.upstream = Upstream(settings, me="a1")
        self.trust = Trust(distrust_s=float(settings.distrust), backoff_s=float(settings.backoff))
        self.workers = Nobody()
        self.stowage = Stowage(shelves, Lru(), announcer=self.workers, clock=world.clock, meter=world.meter)
        rest = {"upstream": self.upstream, "trust": self.trust, "clock": world.clock, "meter": world.meter}
        self.indexes = Indexes(settings, shelf=shelves, **rest)
        self.flights = Flights(settings, stowage=self.stowage, **rest)
        self.stowage.spare(self.flights.touches)
        self.stowage.load()

    def listen(self, made, name, *sources, **more):
        """A new listener on the flight of an object; what refuses at once is written down like the rest."""
        ear = Ear()
        self.flights.join(ear, made.index, made.index.position(name), sources=[s.source() for s in sources], **more)
        return ear

    async def end_of(self, ear):
        await self.world.until(lambda: ear.over, what=f"an end of {ear.heard}")
        return ear.heard[-1]

    def held(self, made, name):
        """The bytes of an object as they lie on a disk, None when it is not held."""
        path = self.shelves.holds(made.object(name), made.index.position(name))
        return None if path is None else path.read_bytes()

    async def stop(self):
        await self.indexes.stop()
        await self.flights.stop()
        await self.upstream.close()
        await self.shelves.landed()

    def leftovers(self):
        return [file for disk in self.shelves.disks.values() for file in (disk.path / "incoming").iterdir()]


@pytest.fixture
async def fly(world):
    """Makes what a flight needs: `await fly()`, with disks and settings to one's liking."""

    async def made(*disks, **limits):
        air = Air(world, world.upstream_settings(**limits), await world.shelves(*disks))
        world.stack.push_async_callback(air.stop)
        return air

    return made
