"""Where the demo's processes listen."""

from __future__ import annotations

import random
import socket

import pytest

from bench.demo.layout import APPLIANCES, CLUSTERS, NAMES, OTHER_PORTS, Address, addresses, is_free
from control.kit.errors import AddressError


def test_the_usual_ports_are_taken_when_they_are_free() -> None:
    found = addresses(None, is_free=lambda _: True, rng=random.Random(1))
    assert [found[name].url for name in NAMES] == [
        "http://127.0.0.1:8200",
        "http://127.0.0.1:8201",
        "http://127.0.0.1:8202",
        "http://127.0.0.1:8203",
        "http://127.0.0.11:8311",
        "http://127.0.0.12:8312",
        "http://127.0.0.21:8321",
    ]
    assert found["south-1/admin"] == Address("127.0.0.1", 8421)


def test_another_port_is_taken_for_one_in_use() -> None:
    found = addresses(None, is_free=lambda address: address.port != 8201, rng=random.Random(1))
    assert found["control"].port in OTHER_PORTS
    assert found["origin"].port == 8200


def test_ports_asked_for_are_taken_exactly_or_refused_by_name() -> None:
    assert addresses(9000, is_free=lambda _: True, rng=random.Random(1))["north-1"].port == 9111
    with pytest.raises(AddressError, match=r"fill: 127\.0\.0\.1:9003 is in use by another process; stop that one, or"):
        addresses(9000, is_free=lambda address: address.port != 9003, rng=random.Random(1))


def test_free_ports_are_all_different() -> None:
    found = addresses(0, is_free=lambda _: True, rng=random.Random(1))
    assert len(set(found.values())) == len(found) == 4 + 2 * len(APPLIANCES)
    assert all(address.port in OTHER_PORTS for address in found.values())


def test_a_machine_without_free_ports_is_said() -> None:
    with pytest.raises(AddressError, match=r"no free port on 127\.0\.0\.1 among 1000 tried"):
        addresses(0, is_free=lambda _: False, rng=random.Random(1))


def test_an_address_somebody_listens_on_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert not is_free(Address("127.0.0.1", port))
    assert is_free(Address("127.0.0.1", port))


def test_appliances_have_host_names_of_their_own_and_two_clusters() -> None:
    assert len({appliance.host for appliance in APPLIANCES}) == len(APPLIANCES)
    assert CLUSTERS == 2
