"""Prefixes: as the ipaddress module sees them, and as tokens write them."""

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oca.front.access import cbor
from oca.front.access.cbor import Tag
from oca.front.access.network import network, packed, tagged, written


@st.composite
def prefixes(draw):
    address = draw(st.ip_addresses())
    bits = draw(st.integers(0, address.max_prefixlen))
    return ipaddress.ip_network((address, bits), strict=False)


@settings(max_examples=50)
@given(prefixes(), st.ip_addresses())
def test_a_prefix_holds_what_the_library_says_it_holds(prefix, address):
    for client in (address, prefix[0], prefix[-1]):
        meant = (client.ipv4_mapped or client) if client.version == 6 else client
        assert network(str(prefix)).holds(packed(str(client))) == (meant in prefix)


@settings(max_examples=50)
@given(prefixes())
def test_a_prefix_in_a_token_is_the_prefix_that_was_written(prefix):
    value = cbor.decode(cbor.encode(written(str(prefix))))
    assert tagged(value) == network(str(prefix))


def test_the_examples_of_the_standard_are_read():
    """RFC 9164, section 3.1."""
    assert tagged(Tag(54, (44, bytes.fromhex("20010db81230")))) == network("2001:db8:1230::/44")
    assert tagged(Tag(52, bytes.fromhex("c0000201"))) == network("192.0.2.1/32")
    assert tagged(Tag(52, (24, bytes.fromhex("c00002")))) == network("192.0.2.0/24")


def test_an_as_number_is_nobodys_prefix():
    assert tagged(64496) is None


@pytest.mark.parametrize(
    "value",
    [
        True,
        -1,
        "192.0.2.1",
        b"\xc0\x00\x02\x01",
        Tag(52, b"\xc0"),
        Tag(52, (33, b"")),
        Tag(52, (-1, b"")),
        Tag(52, (24, b"\xc0\x00\x02\x01")),
        Tag(52, (8, b"\xc0\x00\x02\x01\x00")),
        Tag(52, (b"", 8)),
        Tag(54, (64, b"\x20", None)),
        Tag(99, b"\xc0\x00\x02\x01"),
        None,
    ],
)
def test_what_is_neither_is_refused(value):
    with pytest.raises(ValueError, match=r"\w"):
        tagged(value)


@pytest.mark.parametrize("text", ["", "nonsense", "1.2.3", "1.2.3.4.5", "::g", "\0", ":::"])
def test_what_is_no_address_has_no_bytes(text):
    assert packed(text) is None


def test_an_address_with_its_interface_is_the_address():
    assert packed("fe80::1%eth0") == packed("fe80::1")
