"""What the demo consists of: the processes, where they listen, and the configuration of each.

Pure but for `is_free`, which asks the kernel about one address and is an argument of `addresses`.
Two sites: `north` with two appliances in one cluster, `south` with one. Each appliance listens on a
loopback address of its own, because players give up on a host, not on a port.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from control.kit.errors import AddressError

PORT_BASE = 8200
OTHER_PORTS = range(20_000, 32_000)
"""Below the kernel's ephemeral ports, so that no outgoing connection takes one while a process is down."""

SERVICES = ("origin", "control", "steering", "fill")
DISK_CAPACITY = "2GiB"


@dataclass(frozen=True)
class Appliance:
    """One appliance. `offset` from the port base; its admin port is 100 higher."""

    name: str
    site: str
    cluster: str
    host: str
    offset: int
    serves: tuple[str, ...]


APPLIANCES = (
    Appliance("north-1", "north", "north-a", "127.0.0.11", 111, ("127.0.0.0/16", "::1/128")),
    Appliance("north-2", "north", "north-a", "127.0.0.12", 112, ("127.0.0.0/16", "::1/128")),
    Appliance("south-1", "south", "south-a", "127.0.0.21", 121, ("127.0.0.0/8", "::/0")),
)
CLUSTERS = len({appliance.cluster for appliance in APPLIANCES})
NAMES = (*SERVICES, *(appliance.name for appliance in APPLIANCES))
"""Every process of the demo, in the order they start."""


@dataclass(frozen=True)
class Address:
    """Where something listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """Base URL of what listens here."""
        return f"http://{self.host}:{self.port}"


IsFree = Callable[[Address], bool]
Addresses = dict[str, Address]
"""Name of a process (`north-1`), or of its admin side (`north-1/admin`), to where it listens."""


def addresses(port_base: int | None, *, is_free: IsFree, rng: random.Random) -> Addresses:
    """Where everything listens.

    `port_base` None: the usual ports, others for those in use; 0: any free ones; else exactly those from
    there on. Raises AddressError naming the one that is in use.
    """
    found: Addresses = {}
    for name, host, offset in _wanted():
        usual = Address(host, (port_base or PORT_BASE) + offset)
        if port_base != 0 and is_free(usual):
            found[name] = usual
        elif port_base:
            raise AddressError(
                f"{name}: {host}:{usual.port} is in use by another process; "
                "stop that one, or leave --port-base out to take free ports"
            )
        else:
            found[name] = _another(host, set(found.values()), is_free, rng)
    return found


def _wanted() -> Iterator[tuple[str, str, int]]:
    for offset, name in enumerate(SERVICES):
        yield name, "127.0.0.1", offset
    for appliance in APPLIANCES:
        yield appliance.name, appliance.host, appliance.offset
        yield f"{appliance.name}/admin", "127.0.0.1", appliance.offset + 100


def _another(host: str, taken: set[Address], is_free: IsFree, rng: random.Random) -> Address:
    for _ in range(1000):
        address = Address(host, rng.choice(OTHER_PORTS))
        if address not in taken and is_free(address):
            return address
    raise AddressError(f"no free port on {host} among 1000 tried between {OTHER_PORTS.start} and {OTHER_PORTS.stop}")


def is_free(address: Address) -> bool:
    """Whether this machine lets us listen on `address`."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError:
            return False
    return True
