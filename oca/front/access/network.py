"""Client addresses and the prefixes they may be in: from CIDR texts, and from tokens (RFC 9164). Pure."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any, Final

import msgspec

from oca.front.access.cbor import Tag

TAG_IPV4: Final = 52
TAG_IPV6: Final = 54
"""RFC 9164, section 4."""

_LENGTHS: Final = {TAG_IPV4: 4, TAG_IPV6: 16}
_MAPPED: Final = bytes(10) + b"\xff\xff"
"""What an IPv4 address begins with on an IPv6 socket (RFC 4291, 2.5.5.2)."""


class Network(msgspec.Struct, frozen=True):
    """A prefix: the addresses of `length` bytes that agree with `base` in the bits of `mask`."""

    length: int
    base: int
    mask: int

    def holds(self, address: bytes) -> bool:
        """Whether packed `address` lies in it."""
        return len(address) == self.length and int.from_bytes(address, "big") & self.mask == self.base


def packed(client: str) -> bytes | None:
    r"""The bytes of an address text; an IPv4 address mapped into IPv6 as the IPv4 address. None: no address.

    >>> packed("192.0.2.1"), packed("::ffff:192.0.2.1") == packed("192.0.2.1"), packed("unix")
    (b'\xc0\x00\x02\x01', True, None)
    """
    try:
        if ":" not in client:
            return socket.inet_pton(socket.AF_INET, client)
        address = socket.inet_pton(socket.AF_INET6, client.partition("%")[0])
    except (OSError, ValueError):
        return None
    return address[12:] if address.startswith(_MAPPED) else address


def network(cidr: str) -> Network:
    """The prefix that `cidr` writes. Raises ValueError.

    >>> network("192.0.2.0/24").holds(packed("192.0.2.7"))
    True
    """
    parsed = ipaddress.ip_network(cidr)
    return Network(parsed.max_prefixlen // 8, int(parsed.network_address), int(parsed.netmask))


def tagged(value: Any) -> Network | None:
    """The address or prefix in a token's tagged value (RFC 9164, 3.1); None for an AS number, which nobody is in.

    Raises ValueError for anything else.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 32:
        return None
    if not isinstance(value, Tag) or value.number not in _LENGTHS:
        raise ValueError("neither an address, a prefix nor an AS number")
    length, inside = _LENGTHS[value.number], value.value
    if isinstance(inside, bytes) and len(inside) == length:
        return _network(length, int.from_bytes(inside, "big"), 8 * length)
    if isinstance(inside, tuple) and len(inside) == 2:
        bits, base = inside
        if isinstance(bits, int) and isinstance(base, bytes) and 0 <= bits <= 8 * length and len(base) <= length:
            return _network(length, int.from_bytes(base.ljust(length, b"\0"), "big"), bits)
    raise ValueError("an address or prefix of the wrong length")


def written(cidr: str) -> Tag:
    """`cidr` as a token holds it. Raises ValueError."""
    parsed = ipaddress.ip_network(cidr)
    tag = TAG_IPV4 if parsed.version == 4 else TAG_IPV6
    if parsed.prefixlen == parsed.max_prefixlen:
        return Tag(tag, parsed.network_address.packed)
    return Tag(tag, (parsed.prefixlen, parsed.network_address.packed.rstrip(b"\0")))


def _network(length: int, base: int, bits: int) -> Network:
    mask = (1 << 8 * length) - (1 << (8 * length - bits))
    if base & ~mask:
        raise ValueError("a prefix with bits set behind its end")
    return Network(length, base, mask)
