"""Steering manifests and the odd things players put into queries."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control.wire import RankedPathway, SteeringDecision, SteeringManifest, is_name
from steering.content_steering import PATHWAYS_LIMIT, PlayerQuery, manifest, parse_query, reload_uri
from steering.prefixes import parse_address

DECISION = SteeringDecision(
    id="d-1",
    at=1.0,
    client="2001:db8::7",
    title="bunny",
    ttl_s=10,
    pathways=(
        RankedPathway(pathway="north-1", kind="appliance", url="http://north-1.test"),
        RankedPathway(pathway="origin", kind="origin", url="http://origin.test"),
    ),
)


@pytest.mark.parametrize(
    ("query", "read"),
    [
        ("", PlayerQuery()),
        ("session=s1&client=10.0.0.7", PlayerQuery(session="s1", client=parse_address("10.0.0.7"))),
        (
            "_HLS_pathway=north-1&_HLS_throughput=5140000",
            PlayerQuery(protocol="hls", pathways=("north-1",), throughput_bps=5140000),
        ),
        (
            '_DASH_pathway="a,b"&_DASH_throughput="1200.5,9"',
            PlayerQuery(protocol="dash", pathways=("a", "b"), throughput_bps=None),
        ),
        ("_DASH_pathway=%22a%22,%22b%22", PlayerQuery(protocol="dash", pathways=("a", "b"))),
        ("_HLS_throughput=1e9", PlayerQuery(protocol="hls")),
        ("_HLS_throughput=NaN", PlayerQuery(protocol="hls")),
        ("_HLS_throughput=-5", PlayerQuery(protocol="hls")),
        ("_HLS_throughput=1234.75", PlayerQuery(protocol="hls", throughput_bps=1234)),
        ("_HLS_pathway=../etc&session=a/b&client=nobody", PlayerQuery(protocol="hls")),
        ("_HLS_pathway=&_HLS_pathway=a&_HLS_pathway=b", PlayerQuery(protocol="hls", pathways=("a",))),
        ("session=s1&session=s2", PlayerQuery(session="s1")),
        ("client=nobody&client=::ffff:10.0.0.7", PlayerQuery(client=parse_address("10.0.0.7"))),
    ],
)
def test_queries_are_read_as_players_write_them(query: str, read: PlayerQuery) -> None:
    assert parse_query(parse_qsl(query, keep_blank_values=True)) == read


KEYS = st.sampled_from(
    ["session", "client", "_HLS_pathway", "_HLS_throughput", "_DASH_pathway", "_DASH_throughput", "x"]
)


@settings(deadline=None)
@given(st.lists(st.tuples(KEYS, st.text(max_size=40) | st.from_regex(r"[\"0-9a-z,.]{0,60}")), max_size=10))
def test_no_query_is_an_error_and_nothing_unsafe_comes_through(items: list[tuple[str, str]]) -> None:
    read = parse_query(items)
    assert read.session is None or is_name(read.session)
    assert len(read.pathways) <= PATHWAYS_LIMIT
    assert all(is_name(name) for name in read.pathways)
    assert read.throughput_bps is None or 0 <= read.throughput_bps < 10**16


def test_a_manifest_has_the_members_of_the_standard() -> None:
    made = msgspec.json.decode(
        msgspec.json.encode(manifest(DECISION, base_url="http://steer.test:8202/", session="s1"))
    )
    assert made == {
        "VERSION": 1,
        "TTL": 10,
        "RELOAD-URI": "http://steer.test:8202/v1/steer/bunny?session=s1&client=2001%3Adb8%3A%3A7",
        "PATHWAY-PRIORITY": ["north-1", "origin"],
    }
    msgspec.convert(made, SteeringManifest)


@settings(deadline=None)
@given(st.none() | st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True), st.ip_addresses())
def test_a_reload_uri_gives_back_the_session_and_client(session: str | None, client: object) -> None:
    uri = reload_uri("https://steer.test", "bunny", session=session, client=str(parse_address(str(client))))
    read = parse_query(parse_qsl(urlsplit(uri).query))
    assert (read.session, read.client) == (session, parse_address(str(client)))
    assert uri.startswith("https://steer.test/v1/steer/bunny?")
