"""HLS playlists: what is written is what is read, and what is wrong is named with its line."""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

import m3u8
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.player import hls
from bench.player.presentation import SEGMENTS_LIMIT, ManifestError, Resource

MASTER = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-CONTENT-STEERING:SERVER-URI="/v1/steer/t?session=1",PATHWAY-ID="north-1"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a.north-1",NAME="en",LANGUAGE="en",DEFAULT=YES,URI="http://n/s/t/a/media.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=1280x720,CODECS="avc1.64001f,mp4a.40.2",PATHWAY-ID="north-1",AUDIO="a.north-1"
http://n/s/t/v720/media.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=300000,RESOLUTION=640x360,CODECS="avc1.64001e,mp4a.40.2",PATHWAY-ID="north-1",AUDIO="a.north-1"
http://n/s/t/v360/media.m3u8

#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a.origin",NAME="en",LANGUAGE="en",DEFAULT=YES,URI="http://o/s/t/a/media.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=1280x720,CODECS="avc1.64001f,mp4a.40.2",PATHWAY-ID="origin",AUDIO="a.origin"
http://o/s/t/v720/media.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=300000,RESOLUTION=640x360,CODECS="avc1.64001e,mp4a.40.2",PATHWAY-ID="origin",AUDIO="a.origin"
http://o/s/t/v360/media.m3u8
"""

MEDIA = """#EXTM3U
#EXT-X-TARGETDURATION:4
#EXT-X-MAP:URI="init.mp4"
#EXTINF:4,
00001.m4s
#EXTINF:3.5,a title
00002.m4s
#EXT-X-ENDLIST
"""


def test_variants_of_all_pathways_are_merged_into_renditions_by_ascending_bandwidth() -> None:
    found = hls.parse_multivariant(MASTER, "http://control/v1/playback/1/master.m3u8")
    assert found.pathways == ("north-1", "origin")
    assert [(each.bandwidth_bps, each.height) for each in found.video] == [(300_000, 360), (900_000, 720)]
    assert found.video[0].locations == {
        "north-1": "http://n/s/t/v360/media.m3u8",
        "origin": "http://o/s/t/v360/media.m3u8",
    }
    assert found.audio is not None
    assert found.audio.locations == {"north-1": "http://n/s/t/a/media.m3u8", "origin": "http://o/s/t/a/media.m3u8"}


def test_steering_is_read_and_its_address_resolved() -> None:
    found = hls.parse_multivariant(MASTER, "http://control/v1/playback/1/master.m3u8")
    assert found.steering is not None
    assert found.steering.url == "http://control/v1/steer/t?session=1"
    assert found.initial == "north-1"


def test_a_playlist_without_pathways_has_the_default_one() -> None:
    found = hls.parse_multivariant("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\nv.m3u8\n", "http://a/m.m3u8")
    assert found.pathways == (".",)
    assert found.video[0].locations == {".": "http://a/v.m3u8"}
    assert found.steering is None
    assert found.audio is None


def test_the_default_audio_rendition_is_chosen_over_the_first() -> None:
    group = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",NAME="{0}",LANGUAGE="{0}",DEFAULT={1},URI="{0}.m3u8"\n'
    variant = '#EXT-X-STREAM-INF:BANDWIDTH=1000,RESOLUTION=2x2,AUDIO="g"\nv.m3u8\n'
    text = "#EXTM3U\n" + group.format("en", "NO") + group.format("cs", "YES") + variant
    found = hls.parse_multivariant(text, "http://a/")
    assert found.audio is not None
    assert found.audio.language == "cs"


def test_only_the_first_codec_family_is_played_and_each_playlist_once() -> None:
    lines = ["#EXTM3U"]
    for uri, codecs, bandwidth in (
        ("a.m3u8", "avc1.1,mp4a.40.2", 1000),
        ("a.m3u8", "avc1.1,opus", 1100),
        ("b.m3u8", "avc1.2,mp4a.40.2", 2000),
        ("c.m3u8", "av01.1,mp4a.40.2", 1500),
        ("d.m3u8", "mp4a.40.2", 100),
    ):
        lines += [f'#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},CODECS="{codecs}"', uri]
    found = hls.parse_multivariant("\n".join(lines), "http://a/")
    assert [each.locations["."] for each in found.video] == ["http://a/a.m3u8", "http://a/b.m3u8"]


def test_stable_ids_pair_variants_and_name_them() -> None:
    text = (
        "#EXTM3U\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=1000,STABLE-VARIANT-ID="v1",PATHWAY-ID="a"\na.m3u8\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=1001,STABLE-VARIANT-ID="v1",PATHWAY-ID="b"\nb.m3u8\n'
    )
    (only,) = hls.parse_multivariant(text, "http://x/").video
    assert only.id == "v1"
    assert set(only.locations) == {"a", "b"}


def test_a_media_playlist_gives_segments_on_the_timeline_with_their_initialization() -> None:
    index = hls.parse_media(MEDIA)
    first, second = index.segments
    assert (first.resource, first.start_s, first.end_s) == (Resource("00001.m4s"), 0.0, 4.0)
    assert (second.start_s, second.duration_s, second.init) == (4.0, 3.5, Resource("init.mp4"))
    assert index.end_s == 7.5


def test_equal_playlists_share_one_index() -> None:
    assert hls.parse_media(MEDIA) is hls.parse_media(MEDIA[:20] + MEDIA[20:])


def test_a_byte_range_without_an_offset_continues_the_one_before() -> None:
    text = (
        '#EXTM3U\n#EXT-X-MAP:URI="v.mp4",BYTERANGE="700@0"\n'
        "#EXTINF:4,\n#EXT-X-BYTERANGE:100@700\nv.mp4\n#EXTINF:4,\n#EXT-X-BYTERANGE:50\nv.mp4\n#EXT-X-ENDLIST\n"
    )
    index = hls.parse_media(text)
    assert [segment.resource.byte_range for segment in index.segments] == [(700, 100), (800, 50)]
    assert index.segments[0].init == Resource("v.mp4", (0, 700))


def test_lines_may_end_as_on_windows_and_unknown_tags_and_comments_are_ignored() -> None:
    text = MEDIA.replace("#EXTINF:3.5", "# a remark\n#EXT-X-NEWS:1\n#EXTINF:3.5").replace("\n", "\r\n")
    assert hls.parse_media(text) == hls.parse_media(MEDIA)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "hls:1: starts with ''; a playlist starts with #EXTM3U"),
        ("#EXTM3U8\n", "hls:1: starts with"),
        (MEDIA, "hls:4: this is a media playlist"),
        ("#EXTM3U\n", "hls:1: no EXT-X-STREAM-INF"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n", "hls:2: EXT-X-STREAM-INF without the URI"),
        ('#EXTM3U\n#EXT-X-STREAM-INF:AUDIO="a"\nx\n', "hls:2: the attribute BANDWIDTH is required"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=-1\nx\n", "hls:2: BANDWIDTH is '-1'"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,BANDWIDTH=2\nx\n", "hls:2: the attribute BANDWIDTH is given twice"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=big\nx\n", "hls:2: RESOLUTION is 'big'"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,\nx\n", "is not an attribute"),
        ('#EXTM3U\n#EXT-X-CONTENT-STEERING:PATHWAY-ID="a"\n', "hls:2: the attribute SERVER-URI is required"),
        ('#EXTM3U\n#EXT-X-DEFINE:NAME="a",VALUE="b"\n', "hls:2: EXT-X-DEFINE"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n" + "x" * 5000 + "\n", "hls:3: a URI of 5000 characters"),
    ],
)
def test_a_bad_multivariant_playlist_is_refused_with_its_line(text: str, words: str) -> None:
    with pytest.raises(ManifestError) as caught:
        hls.parse_multivariant(text, "http://a/")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (MASTER, "this is a multivariant playlist"),
        (MEDIA.replace("#EXT-X-ENDLIST", ""), "no EXT-X-ENDLIST: live"),
        ("#EXTM3U\n#EXT-X-ENDLIST\n", "no segments"),
        ("#EXTM3U\nx.m4s\n#EXT-X-ENDLIST\n", "hls:2: the segment 'x.m4s' has no EXTINF"),
        ("#EXTM3U\n#EXTINF:four,\nx\n", "hls:2: EXTINF is 'four'"),
        ("#EXTM3U\n#EXTINF:4,\n#EXT-X-BYTERANGE:5\nx\n", "hls:4: EXT-X-BYTERANGE without an offset"),
        ("#EXTM3U\n#EXT-X-BYTERANGE:0@5\n", "hls:2: the byte range is '0@5'"),
        ('#EXTM3U\n#EXT-X-MAP:BYTERANGE="5@0"\n', "hls:2: the attribute URI is required"),
    ],
)
def test_a_bad_media_playlist_is_refused_with_its_line(text: str, words: str) -> None:
    with pytest.raises(ManifestError) as caught:
        hls.parse_media(text)
    assert words in str(caught.value)


def test_an_endless_playlist_is_refused() -> None:
    text = "#EXTM3U\n" + "#EXTINF:1,\nx\n" * (SEGMENTS_LIMIT + 1)
    with pytest.raises(ManifestError, match="more than 100000 segments"):
        hls.parse_media(text)


@settings(max_examples=200)
@given(st.text(alphabet='#EXTMINF-:,="@0aZ\n\r x.', max_size=200))
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    for tail in (text, "#EXTM3U\n" + text):
        for read in (hls.parse_media, lambda body: hls.parse_multivariant(body, "http://a/")):
            with suppress(ManifestError):
                read(tail)


class Made(NamedTuple):
    """A segment as the test wants it written."""

    uri: str
    milliseconds: int
    byte_range: tuple[int, int] | None


segments_made = st.lists(
    st.builds(
        Made,
        st.from_regex(r"[a-z0-9]{1,8}\.m4s", fullmatch=True),
        st.integers(1, 20_000),
        st.none() | st.tuples(st.integers(0, 10**9), st.integers(1, 10**9)),
    ),
    min_size=1,
    max_size=30,
)


def written(made: list[Made]) -> str:
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:20", '#EXT-X-MAP:URI="init.mp4"']
    for each in made:
        lines.append(f"#EXTINF:{each.milliseconds / 1000:.3f},")
        if each.byte_range is not None:
            lines.append(f"#EXT-X-BYTERANGE:{each.byte_range[1]}@{each.byte_range[0]}")
        lines.append(each.uri)
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


@given(segments_made)
def test_what_is_written_is_what_is_read(made: list[Made]) -> None:
    text = written(made)
    index = hls.parse_media(text)
    assert [(s.resource.uri, s.resource.byte_range) for s in index.segments] == [(m.uri, m.byte_range) for m in made]
    assert index.end_s == pytest.approx(sum(m.milliseconds for m in made) / 1000)
    peer = m3u8.loads(text)
    assert [segment.uri for segment in peer.segments] == [segment.resource.uri for segment in index.segments]
    assert [segment.duration for segment in peer.segments] == [segment.duration_s for segment in index.segments]


names = st.from_regex(r"[a-z][a-z0-9.-]{0,9}", fullmatch=True)


@given(
    st.lists(names, min_size=1, max_size=4, unique=True),
    st.lists(st.integers(1, 10**8), min_size=1, max_size=5, unique=True),
    st.booleans(),
)
def test_every_pathway_lists_every_rendition_it_was_given(pathways: list[str], rungs: list[int], audio: bool) -> None:
    lines = ["#EXTM3U", f'#EXT-X-CONTENT-STEERING:SERVER-URI="http://s/",PATHWAY-ID="{pathways[-1]}"']
    for pathway in pathways:
        if audio:
            group = f'GROUP-ID="a {pathway}",NAME="en, or so"'
            lines.append(f'#EXT-X-MEDIA:TYPE=AUDIO,{group},URI="http://{pathway}/a.m3u8"')
        for rung in rungs:
            tail = f',AUDIO="a {pathway}"' if audio else ""
            lines.append(f'#EXT-X-STREAM-INF:BANDWIDTH={rung},PATHWAY-ID="{pathway}"{tail}')
            lines.append(f"http://{pathway}/{rung}.m3u8")
    found = hls.parse_multivariant("\n".join(lines), "http://control/")
    assert found.pathways == tuple(pathways)
    assert found.initial == pathways[-1]
    assert [each.bandwidth_bps for each in found.video] == sorted(rungs)
    for each in found.video:
        assert each.locations == {p: f"http://{p}/{each.bandwidth_bps}.m3u8" for p in pathways}
    assert (found.audio is not None) == audio
    if found.audio is not None:
        assert found.audio.locations == {p: f"http://{p}/a.m3u8" for p in pathways}
