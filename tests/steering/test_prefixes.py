"""Longest-prefix match, against a search through everything."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steering.prefixes import Network, PrefixTable, parse_address, parse_prefix, parse_prefixes

V4 = st.builds(
    lambda number, bits: ipaddress.ip_network((number, bits), strict=False),
    st.integers(0, 2**32 - 1),
    st.integers(0, 32),
)
V6 = st.builds(
    lambda number, bits: ipaddress.ip_network((number, bits), strict=False),
    st.integers(0, 2**128 - 1),
    st.integers(0, 128),
)
ANNOUNCED = st.lists(st.tuples(V4 | V6, st.sampled_from("abcd")), max_size=30)


def table_of(announced: list[tuple[Network, str]]) -> PrefixTable:
    table = PrefixTable()
    for network, owner in announced:
        table.add(network, owner)
    return table


@settings(deadline=None)
@given(ANNOUNCED, st.data())
def test_the_longest_prefix_of_each_owner_is_found(announced: list[tuple[Network, str]], data: st.DataObject) -> None:
    inside = [network[0] for network, _ in announced] or [ipaddress.ip_address("192.0.2.1")]
    address = data.draw(st.sampled_from(inside) | st.ip_addresses())
    expected: dict[str, int] = {}
    for network, owner in announced:
        if network.version == address.version and address in network:
            expected[owner] = max(expected.get(owner, 0), network.prefixlen)
    found = table_of(announced).best_by_owner(address)
    assert {owner: match.bits for owner, match in found.items()} == expected


@settings(deadline=None)
@given(ANNOUNCED, st.ip_addresses())
def test_matches_come_longest_first(announced: list[tuple[Network, str]], address: ipaddress.IPv4Address) -> None:
    bits = [match.bits for match in table_of(announced).matches(address)]
    assert bits == sorted(bits, reverse=True)


@settings(deadline=None)
@given(ANNOUNCED)
def test_withdrawing_everything_leaves_an_empty_table(announced: list[tuple[Network, str]]) -> None:
    table = table_of(announced)
    assert len(table) == len(set(announced))
    for network, owner in announced:
        table.remove(network, owner)
    assert len(table) == 0
    assert all(not table.best_by_owner(network[0]) for network, _ in announced)


def test_withdrawing_what_was_never_announced_changes_nothing() -> None:
    table = table_of([(parse_prefix("10.0.0.0/8"), "a")])
    table.remove(parse_prefix("10.0.0.0/8"), "b")
    table.remove(parse_prefix("11.0.0.0/8"), "a")
    assert len(table) == 1


def test_a_match_names_the_prefix_that_was_announced() -> None:
    table = table_of([(parse_prefix("2001:db8::1/32"), "a")])
    (match,) = table.matches(parse_address("2001:db8:1::7"))
    assert (match.prefix, match.bits, match.owners) == ("2001:db8::/32", 32, frozenset("a"))


@pytest.mark.parametrize(
    ("text", "address"),
    [("192.0.2.1", "192.0.2.1"), (" ::ffff:192.0.2.1 ", "192.0.2.1"), ("fe80::1%eth0", "fe80::1"), ("::1", "::1")],
)
def test_an_address_is_read_in_every_form_that_sockets_give(text: str, address: str) -> None:
    assert str(parse_address(text)) == address


@pytest.mark.parametrize("text", ["", "example.org", "192.0.2.256", "1" * 5000, "10.0.0.0/8", "[::1]"])
def test_what_is_no_address_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="not an address"):
        parse_address(text)


def test_a_bad_prefix_is_named_by_its_position() -> None:
    with pytest.raises(ValueError, match=r"\[1\]: '10.0.0.0/33' is not a prefix"):
        parse_prefixes(["10.0.0.0/8", "10.0.0.0/33"])
