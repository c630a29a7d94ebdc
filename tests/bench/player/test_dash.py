"""DASH manifests: what is written is what is read, and what is wrong is named with line and element."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.player import dash
from bench.player.presentation import ManifestError, Resource, SegmentIndex, resolve

URL = "http://control/v1/playback/1/manifest.mpd"
MPD = """<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT10S">
  <BaseURL serviceLocation="north-1">http://n/s/t/</BaseURL>
  <BaseURL serviceLocation="origin">http://o/s/t/</BaseURL>
  <ContentSteering defaultServiceLocation="north-1" queryBeforeStart="true">http://s/steer?a=1&amp;b=2</ContentSteering>
  <Period>
    {video}
    <AdaptationSet contentType="audio" lang="en">
      <Representation id="a128k" bandwidth="128000" codecs="mp4a.40.2">
        <SegmentTemplate timescale="48000" initialization="$RepresentationID$/init.mp4"
            media="$RepresentationID$/$Number%05d$.m4s">
          <SegmentTimeline><S t="0" d="192512"/><S d="191488"/><S d="96000"/></SegmentTimeline>
        </SegmentTemplate>
      </Representation>
    </AdaptationSet>
  </Period>
</MPD>
"""
VIDEO = """<AdaptationSet mimeType="video/mp4" width="1280" height="720">
      <SegmentTemplate timescale="1000" initialization="$RepresentationID$/init.mp4" startNumber="1"
          media="$RepresentationID$/$Number%05d$.m4s">
        <SegmentTimeline><S t="0" d="4000" r="1"/><S d="2000"/></SegmentTimeline>
      </SegmentTemplate>
      <Representation id="v720" bandwidth="900000"/>
      <Representation id="v360" bandwidth="150000" width="640" height="360"/>
    </AdaptationSet>"""


def mpd(video: str = VIDEO) -> bytes:
    return MPD.format(video=video).encode()


def video_index(video: str) -> SegmentIndex:
    index = dash.parse_mpd(mpd(video), URL).video[0].index
    assert index is not None
    return index


def test_pathways_come_from_service_locations_and_renditions_by_ascending_bandwidth() -> None:
    found = dash.parse_mpd(mpd(), URL)
    assert found.pathways == ("north-1", "origin")
    assert [(each.id, each.width) for each in found.video] == [("v360", 640), ("v720", 1280)]
    assert found.video[0].locations == {"north-1": "http://n/s/t/", "origin": "http://o/s/t/"}
    assert found.audio is not None
    assert (found.audio.id, found.audio.language) == ("a128k", "en")


def test_the_segment_template_gives_what_our_hls_gives() -> None:
    index = dash.parse_mpd(mpd(), URL).video[0].index
    assert index is not None
    assert [segment.resource.uri for segment in index.segments] == [f"v360/0000{n}.m4s" for n in (1, 2, 3)]
    assert [segment.start_s for segment in index.segments] == [0.0, 4.0, 8.0]
    assert index.end_s == 10.0
    assert index.segments[0].init == Resource("v360/init.mp4")
    assert resolve("http://n/s/t/", index.segments[0].resource) == "http://n/s/t/v360/00001.m4s"


def test_steering_is_read_with_its_default_and_when_to_ask() -> None:
    steering = dash.parse_mpd(mpd(), URL).steering
    assert steering is not None
    assert (steering.url, steering.initial, steering.before_start) == ("http://s/steer?a=1&b=2", "north-1", True)


def test_equal_templates_share_one_index() -> None:
    first, second = dash.parse_mpd(mpd(), URL), dash.parse_mpd(mpd(), URL)
    assert first.video[0].index is second.video[0].index


def test_segments_may_be_addressed_by_time() -> None:
    index = video_index(VIDEO.replace("$Number%05d$", "$Time$"))
    assert [segment.resource.uri for segment in index.segments] == ["v360/0.m4s", "v360/4000.m4s", "v360/8000.m4s"]


def test_a_duration_per_segment_counts_to_the_end_of_the_period() -> None:
    video = (
        '<AdaptationSet contentType="video"><Representation id="v" bandwidth="1">'
        '<SegmentTemplate duration="4" startNumber="5" media="$Number$-$Bandwidth$-$$.m4s"/>'
        "</Representation></AdaptationSet>"
    )
    index = video_index(video)
    assert [segment.resource.uri for segment in index.segments] == ["5-1-$.m4s", "6-1-$.m4s", "7-1-$.m4s"]
    assert [segment.duration_s for segment in index.segments] == [4.0, 4.0, 2.0]


def test_a_negative_repeat_reaches_to_the_next_entry_or_the_end() -> None:
    timeline = '<S t="0" d="1000" r="-1"/><S t="3000" d="3500" r="-1"/>'
    index = video_index(VIDEO.replace('<S t="0" d="4000" r="1"/><S d="2000"/>', timeline))
    assert [segment.start_s for segment in index.segments] == [0.0, 1.0, 2.0, 3.0, 6.5]


def test_a_presentation_time_offset_moves_the_timeline_to_zero() -> None:
    video = VIDEO.replace('timescale="1000"', 'timescale="1000" presentationTimeOffset="500"')
    assert video_index(video.replace('t="0"', 't="500"')).segments[0].start_s == 0.0


def test_a_segment_list_gives_byte_ranges() -> None:
    video = (
        '<AdaptationSet contentType="video"><Representation id="v" bandwidth="1"><BaseURL>v.mp4</BaseURL>'
        '<SegmentList timescale="1" duration="4"><Initialization range="0-699"/>'
        '<SegmentURL mediaRange="700-799"/><SegmentURL mediaRange="800-1000"/><SegmentURL mediaRange="1001-1001"/>'
        "</SegmentList></Representation></AdaptationSet>"
    )
    (rendition,) = dash.parse_mpd(mpd(video), URL).video
    assert rendition.index is not None
    assert [segment.resource.byte_range for segment in rendition.index.segments] == [(700, 100), (800, 201), (1001, 1)]
    assert rendition.index.segments[0].init == Resource("", (0, 700))
    assert rendition.index.end_s == 10.0
    location = rendition.locations["north-1"]
    assert resolve(location, rendition.index.segments[0].resource) == "http://n/s/t/v.mp4"


def test_a_segment_list_may_have_a_timeline() -> None:
    video = (
        '<AdaptationSet contentType="video"><Representation id="v" bandwidth="1">'
        '<SegmentList timescale="10"><SegmentTimeline><S t="0" d="15"/><S d="5"/></SegmentTimeline>'
        '<SegmentURL media="a"/><SegmentURL media="b"/></SegmentList></Representation></AdaptationSet>'
    )
    assert [segment.start_s for segment in video_index(video).segments] == [0.0, 1.5]


def test_without_base_urls_the_manifest_is_the_base() -> None:
    body = mpd().replace(b'<BaseURL serviceLocation="north-1">http://n/s/t/</BaseURL>', b"")
    body = body.replace(b'<BaseURL serviceLocation="origin">http://o/s/t/</BaseURL>', b"")
    assert dash.parse_mpd(body, URL).video[0].locations == {".": URL}


def test_trick_play_sets_are_left_out() -> None:
    trick = VIDEO.replace("<SegmentTemplate", '<EssentialProperty schemeIdUri="trick"/><SegmentTemplate', 1)
    found = dash.parse_mpd(mpd(trick.replace("v360", "t1").replace("v720", "t2") + VIDEO), URL)
    assert [each.id for each in found.video] == ["v360", "v720"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("<MPD", "<MPDX"), ": not XML: mismatched tag"),
        (('type="static"', 'type="dynamic"'), "dash:2: <MPD>: type is 'dynamic'"),
        (('PT10S"', '10 s"'), "dash:2: <MPD>: mediaPresentationDuration is '10 s'"),
        (('d="192512"', 'd="0"'), "<S>: d is '0'; a whole number from 1"),
        (('bandwidth="128000"', ""), "dash:16: <Representation>: the attribute bandwidth is required"),
        (('id="a128k"', ""), "<Representation>: an id of 0 characters"),
        (("$Number%05d$", "$Nummer$"), "is no identifier"),
        ((' r="1"', ' r="one"'), "<S>: r is 'one'"),
        ((' r="1"', ' r="999999999"'), "<S>: more than 100000 segments"),
        (("http://s/steer?a=1&amp;b=2", " "), "dash:5: <ContentSteering>: a URL of 0 characters"),
    ],
)
def test_a_bad_manifest_is_refused_with_line_and_element(change: tuple[str, str], words: str) -> None:
    text = mpd().decode().replace(*change)
    with pytest.raises(ManifestError) as caught:
        dash.parse_mpd(text.encode(), URL)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("video", "words"),
    [
        ("<AdaptationSet contentType='video'><Representation id='v' bandwidth='1'/></AdaptationSet>", "write one"),
        (
            "<AdaptationSet contentType='video'><Representation id='v' bandwidth='1'>"
            "<SegmentBase indexRange='0-9'/></Representation></AdaptationSet>",
            "no SegmentTemplate and no SegmentList",
        ),
        (
            "<AdaptationSet contentType='video'><Representation id='v' bandwidth='1'><SegmentList duration='1'>"
            "<SegmentURL mediaRange='9-1'/></SegmentList></Representation></AdaptationSet>",
            "mediaRange is '9-1'",
        ),
    ],
)
def test_addressing_that_cannot_be_played_is_refused(video: str, words: str) -> None:
    with pytest.raises(ManifestError, match=words):
        dash.parse_mpd(mpd(video), URL)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not XML"),
        (b"<a/>", "not an MPD"),
        (b"<MPD/>", "0 Periods"),
        (b"<MPD><Period/></MPD>", "no AdaptationSet"),
        (b'<!DOCTYPE a [<!ENTITY x "y">]><MPD>&x;</MPD>', "DOCTYPE"),
        (b"<a>" * 40 + b"</a>" * 40, "nested deeper"),
        (b"<a>" + b"<b/>" * 150_001 + b"</a>", "more than 150000 elements"),
    ],
)
def test_what_is_no_manifest_or_a_dangerous_one_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(ManifestError, match=words):
        dash.parse_mpd(body, URL)


def test_a_template_cannot_be_blown_up() -> None:
    video = VIDEO.replace(' r="1"', ' r="90000"').replace("media=", f'media="{"x" * 900}" x=')
    with pytest.raises(ManifestError, match="are more than are read"):
        dash.parse_mpd(mpd(video), URL)


@settings(max_examples=200)
@given(st.text(alphabet="<>/=\"' SdtrMPeiodx09-$\n", max_size=150))
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    for body in (text, f"<MPD><Period><AdaptationSet contentType='video'>{text}</AdaptationSet></Period></MPD>"):
        with suppress(ManifestError):
            dash.parse_mpd(body.encode(), URL)


@given(
    st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, 5)), min_size=1, max_size=20),
    st.integers(1, 90_000),
    st.integers(0, 1000),
    st.lists(st.from_regex(r"[a-z][a-z0-9.-]{0,9}", fullmatch=True), min_size=1, max_size=4, unique=True),
)
def test_what_is_written_is_what_is_read(
    runs: list[tuple[int, int]], timescale: int, first: int, pathways: list[str]
) -> None:
    bases = "".join(f"<BaseURL serviceLocation='{pathway}'>http://{pathway}/t/</BaseURL>" for pathway in pathways)
    timeline = "".join(f"<S d='{length}' r='{repeats}'/>" for length, repeats in runs)
    body = (
        f"<MPD>{bases}<Period><AdaptationSet contentType='video'><Representation id='v' bandwidth='5'>"
        f"<SegmentTemplate timescale='{timescale}' startNumber='{first}' media='$Number$'>"
        f"<SegmentTimeline>{timeline}</SegmentTimeline></SegmentTemplate></Representation></AdaptationSet></Period></MPD>"
    )
    found = dash.parse_mpd(body.encode(), URL)
    assert found.pathways == tuple(pathways)
    assert found.video[0].locations == {pathway: f"http://{pathway}/t/" for pathway in pathways}
    index = found.video[0].index
    assert index is not None
    lengths = [length for length, repeats in runs for _ in range(repeats + 1)]
    assert [segment.resource.uri for segment in index.segments] == [str(first + n) for n in range(len(lengths))]
    assert [segment.duration_s for segment in index.segments] == [length / timescale for length in lengths]
    assert index.segments[-1].start_s == sum(lengths[:-1]) / timescale
