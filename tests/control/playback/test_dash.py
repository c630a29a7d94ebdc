"""The MPD, read back as XML, and as one golden file."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control.playback import dash
from control.wire import RenditionIndex, StoredObject

GOLDEN = Path(__file__).parent / "golden"
STEERING = "http://steering.test:8202/v1/steer/bunny?session=p-1&client=10.0.0.7"
NS = {"d": dash.NAMESPACE}


def made(published, pathways):
    shared = dash.presentation(published.title, published.indexes)
    return dash.mpd(shared, published.title.id, pathways, steering=STEERING)


def durations(template):
    """What a player makes of the SegmentTimeline."""
    found, at = [], 0
    for run in template.find("d:SegmentTimeline", NS):
        assert int(run.get("t", at)) == at
        for _ in range(int(run.get("r", 0)) + 1):
            found.append(int(run.get("d")))
            at += found[-1]
    return found


def test_one_title_on_two_pathways_is_the_golden_manifest(publish, appliance, origin_pathway):
    published = publish(audios=(("en", 128_000), ("fr", 96_000)))
    root = ET.fromstring(made(published, (appliance("north-1"), origin_pathway)))
    ET.register_namespace("", dash.NAMESPACE)
    ET.indent(root)
    assert ET.tostring(root, encoding="unicode") + "\n" == (GOLDEN / "bunny.mpd").read_text()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_reader_finds_every_rendition_with_the_segments_of_its_index(strategies, data):
    published = data.draw(strategies.titles)
    pathways = data.draw(strategies.pathways)
    root = ET.fromstring(made(published, pathways))
    assert root.get("type") == "static"
    assert root.get("mediaPresentationDuration") == f"PT{published.title.duration_ms // 1000}S"
    representations = {each.get("id"): each for each in root.iterfind(".//d:Representation", NS)}
    assert set(representations) == {rendition.id for rendition in published.title.renditions}
    for rendition in published.title.renditions:
        each, index = representations[rendition.id], published.indexes[rendition.id]
        assert (each.get("codecs"), int(each.get("bandwidth"))) == (rendition.codecs, rendition.bandwidth_bps)
        template = each.find("d:SegmentTemplate", NS)
        assert int(template.get("timescale")) == index.timescale
        media = [stored for stored in index.objects if stored.kind == "media"]
        assert durations(template) == [stored.duration for stored in media]
        start = int(template.get("startNumber"))
        names = [
            template.get("media").replace("$RepresentationID$", rendition.id).replace("$Number%05d$", f"{number:05d}")
            for number in range(start, start + len(media))
        ]
        assert names == [f"{rendition.id}/{stored.name}" for stored in media]
        init = template.get("initialization").replace("$RepresentationID$", rendition.id)
        assert init == f"{rendition.id}/init.mp4"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_pathway_is_a_base_url_and_steering_names_the_first(strategies, data):
    published = data.draw(strategies.titles)
    pathways = data.draw(strategies.pathways)
    root = ET.fromstring(made(published, pathways))
    assert [(base.get("serviceLocation"), base.text) for base in root.iterfind("d:BaseURL", NS)] == [
        (each.pathway, f"{each.url.rstrip('/')}/s/{published.title.id}/") for each in pathways
    ]
    steering = root.find("d:ContentSteering", NS)
    assert steering.text == STEERING
    assert steering.attrib == {"defaultServiceLocation": pathways[0].pathway, "queryBeforeStart": "false"}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_an_adaptation_set_holds_what_may_be_switched_between(strategies, data):
    published = data.draw(strategies.titles)
    root = ET.fromstring(made(published, data.draw(strategies.pathways)))
    by_id = {rendition.id: rendition for rendition in published.title.renditions}
    mains = []
    for adaptation in root.iterfind(".//d:AdaptationSet", NS):
        renditions = [by_id[each.get("id")] for each in adaptation.iterfind("d:Representation", NS)]
        assert len({(each.kind, each.codecs, each.language) for each in renditions}) == 1
        assert adaptation.get("mimeType") == f"{renditions[0].kind}/mp4"
        if renditions[0].kind == "audio":
            assert adaptation.get("lang") == renditions[0].language
        if adaptation.find("d:Role", NS).get("value") == "main":
            mains.append(renditions[0].kind)
    assert sorted(mains) == sorted({rendition.kind for rendition in published.title.renditions})


@pytest.mark.parametrize(("channels", "configuration"), [(1, "1"), (2, "2"), (6, "6"), (8, "7")])
def test_channels_are_written_as_the_number_of_their_configuration(publish, origin_pathway, channels, configuration):
    published = publish()
    published = published.changed(published.title.renditions[-1].id, channels=channels)
    root = ET.fromstring(made(published, (origin_pathway,)))
    (found,) = root.iterfind(".//d:AudioChannelConfiguration", NS)
    assert found.get("value") == configuration


def test_uneven_segments_are_written_in_runs(publish, origin_pathway):
    published = publish(videos=((640, 360, 800_000),), audios=())
    rendition = published.title.renditions[0].id
    lengths = (192_512, 191_488, 191_488, 192_512)
    index = RenditionIndex(
        title="bunny",
        rendition=rendition,
        timescale=48_000,
        objects=tuple(
            StoredObject(name=f"{n:05d}.m4s", kind="media", bytes=9, xxh3="0" * 32, duration=length)
            for n, length in enumerate(lengths, 1)
        ),
    )
    shared = dash.presentation(published.title, {rendition: index})
    root = ET.fromstring(dash.mpd(shared, "bunny", (origin_pathway,), steering=STEERING))
    (template,) = root.iterfind(".//d:SegmentTemplate", NS)
    assert durations(template) == list(lengths)
    assert len(template.find("d:SegmentTimeline", NS)) == 3
    assert root.get("maxSegmentDuration") == "PT5S"


def test_broadcast_frame_rates_are_fractions(publish, origin_pathway):
    root = ET.fromstring(made(publish(frame_rate=29.97), (origin_pathway,)))
    video = root.find(".//d:Representation[@width]", NS)
    assert video.get("frameRate") == "30000/1001"
