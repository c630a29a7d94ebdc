"""CMCD as CTA-5004 writes it."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from bench.player import cmcd

REPORT = cmcd.Report(
    object_type="v",
    session='s"1',
    content="bunny",
    streaming="h",
    bitrate_bps=2_100_400,
    duration_s=4.004,
    buffer_s=12.345,
    throughput_bps=5_049_000,
    startup=True,
    starved=True,
)


def test_headers_group_the_keys_sorted_and_rounded() -> None:
    assert cmcd.headers(REPORT) == {
        "CMCD-Object": "br=2101,d=4004,ot=v",
        "CMCD-Request": "bl=12300,mtp=5000,su",
        "CMCD-Session": 'cid="bunny",sf=h,sid="s\\"1",st=v',
        "CMCD-Status": "bs",
    }


def test_what_is_not_known_is_not_said() -> None:
    bare = cmcd.Report(object_type="i", session="s", content="t", streaming="d")
    assert cmcd.headers(bare) == {"CMCD-Object": "ot=i", "CMCD-Session": 'cid="t",sf=d,sid="s",st=v'}


def test_the_query_form_is_one_parameter_beside_the_others() -> None:
    url = cmcd.with_query("http://a/s/1.m4s?x=1", REPORT)
    query = parse_qs(urlsplit(url).query)
    assert query["x"] == ["1"]
    assert query["CMCD"] == [
        'bl=12300,br=2101,bs,cid="bunny",d=4004,mtp=5000,ot=v,sf=h,sid="s\\"1",st=v,su',
    ]
    assert cmcd.with_query("http://a/1.m4s", REPORT).startswith("http://a/1.m4s?CMCD=bl%3D12300%2C")
