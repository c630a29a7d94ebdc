"""Longest-prefix match: which appliances serve a client's address.

Pure: a dict per mask length and family. No route is learned here and nothing is ranked. Rules:

- A v4 address written as v6 (`::ffff:192.0.2.1`) is a v4 address.
- The zone of a link-local address (`fe80::1%eth0`) says nothing about where a client is and is dropped.
- A prefix with host bits set (`10.1.2.3/8`) is the network it lies in.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

ADDRESS_LIMIT_CHARS = 128
"""No address or prefix is longer; longer text is refused before it is parsed."""


@dataclass(frozen=True)
class Match:
    """A prefix that covers an address, and who announced it."""

    prefix: str
    bits: int
    owners: frozenset[str]


def parse_address(text: str) -> Address:
    """The address in `text`. Raises ValueError saying what would be right.

    >>> parse_address("::ffff:192.0.2.1")
    IPv4Address('192.0.2.1')
    """
    bare = text.strip().partition("%")[0]
    if len(bare) > ADDRESS_LIMIT_CHARS:
        raise ValueError("not an address: too long")
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        raise ValueError(f"{text!r} is not an address; give one such as 192.0.2.7 or 2001:db8::7") from None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def parse_prefix(text: str) -> Network:
    """The network in `text`. Raises ValueError saying what would be right.

    >>> parse_prefix("10.1.2.3/8")
    IPv4Network('10.0.0.0/8')
    """
    if len(text) > ADDRESS_LIMIT_CHARS:
        raise ValueError("not a prefix: too long")
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is not a prefix; give one such as 192.0.2.0/24 or 2001:db8::/32") from None


def parse_prefixes(texts: Iterable[str]) -> frozenset[Network]:
    """Every network in `texts`. Raises ValueError naming the position of the first that is none."""
    networks = set()
    for index, text in enumerate(texts):
        try:
            networks.add(parse_prefix(text))
        except ValueError as error:
            raise ValueError(f"[{index}]: {error}") from None
    return frozenset(networks)


class PrefixTable:
    """Prefixes and their owners. Many owners may announce one prefix, and one owner many."""

    def __init__(self) -> None:
        self._by_bits: dict[int, dict[int, dict[int, set[str]]]] = {4: {}, 6: {}}
        self._lengths: dict[int, list[int]] = {4: [], 6: []}
        self._count = 0

    def __repr__(self) -> str:
        return f"<PrefixTable of {self._count} announcements>"

    def __len__(self) -> int:
        return self._count

    def add(self, network: Network, owner: str) -> None:
        """`owner` announces `network`. Announcing again changes nothing."""
        table = self._by_bits[network.version].setdefault(network.prefixlen, {})
        owners = table.setdefault(int(network.network_address), set())
        if owner not in owners:
            owners.add(owner)
            self._count += 1
        self._sort(network.version)

    def remove(self, network: Network, owner: str) -> None:
        """`owner` withdraws `network`. Withdrawing what was never announced changes nothing."""
        table = self._by_bits[network.version].get(network.prefixlen, {})
        key = int(network.network_address)
        owners = table.get(key, set())
        if owner not in owners:
            return
        owners.discard(owner)
        self._count -= 1
        if not owners:
            del table[key]
        if not table:
            del self._by_bits[network.version][network.prefixlen]
            self._sort(network.version)

    def matches(self, address: Address) -> Iterator[Match]:
        """Every announced prefix that covers `address`, longest first."""
        width = address.max_prefixlen
        number = int(address)
        for bits in self._lengths[address.version]:
            key = number >> (width - bits) << (width - bits)
            owners = self._by_bits[address.version][bits].get(key)
            if owners:
                yield Match(_written(address, key, bits), bits, frozenset(owners))

    def best_by_owner(self, address: Address) -> dict[str, Match]:
        """Each owner that serves `address`, with the longest of its prefixes that does."""
        best: dict[str, Match] = {}
        for match in self.matches(address):
            for owner in match.owners:
                best.setdefault(owner, match)
        return best

    def _sort(self, version: int) -> None:
        if len(self._lengths[version]) != len(self._by_bits[version]):
            self._lengths[version] = sorted(self._by_bits[version], reverse=True)


def _written(address: Address, key: int, bits: int) -> str:
    return f"{type(address)(key)}/{bits}"
