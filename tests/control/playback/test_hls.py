"""The multivariant playlist, read back by a parser that is not ours, and as one golden file."""

from pathlib import Path

import m3u8
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control.playback import hls
from control.playback.ladder import variants

GOLDEN = Path(__file__).parent / "golden"
STEERING = "http://steering.test:8202/v1/steer/bunny?session=p-1&client=10.0.0.7"


def test_one_title_on_two_pathways_is_the_golden_playlist(publish, appliance, origin_pathway):
    title = publish(audios=(("en", 128_000), ("fr", 96_000))).title
    text = hls.multivariant(title, (appliance("north-1"), origin_pathway), steering=STEERING)
    assert text == (GOLDEN / "bunny.m3u8").read_text()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_parser_finds_every_pathway_with_its_own_variants_and_audio(strategies, data):
    title = data.draw(strategies.titles).title
    pathways = data.draw(strategies.pathways)
    text = hls.multivariant(title, pathways, steering=STEERING)
    parsed = m3u8.loads(text)
    assert parsed.is_variant
    assert parsed.is_independent_segments
    assert parsed.content_steering.uri == STEERING
    assert parsed.content_steering.pathway_id == pathways[0].pathway
    choices = variants(title)
    assert len(parsed.playlists) == len(choices) * len(pathways)
    bases = {pathway.pathway: f"{pathway.url.rstrip('/')}/s/{title.id}/" for pathway in pathways}
    groups = {}
    for media in parsed.media:
        groups.setdefault(media.group_id, []).append(media)
    for playlist, (pathway, choice) in zip(
        parsed.playlists, [(each, choice) for each in pathways for choice in choices], strict=True
    ):
        info = playlist.stream_info
        base = bases[pathway.pathway]
        assert info.pathway_id == pathway.pathway
        assert playlist.uri == f"{base}{choice.main.id}/media.m3u8"
        assert (info.bandwidth, info.average_bandwidth) == (choice.bandwidth_bps, choice.average_bandwidth_bps)
        if choice.main.kind == "video":
            assert info.resolution == (choice.main.width, choice.main.height)
            assert info.frame_rate == pytest.approx(choice.main.frame_rate, abs=0.001)
        if choice.audio is None:
            assert info.audio is None
            continue
        assert info.codecs.split(",") == [choice.main.codecs, choice.audio.codecs]
        assert [media.uri for media in groups[info.audio]] == [
            f"{base}{member.id}/media.m3u8" for member in choice.audio.members
        ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_groups_keep_the_rules_of_the_specification(strategies, data):
    title = data.draw(strategies.titles).title
    parsed = m3u8.loads(hls.multivariant(title, data.draw(strategies.pathways), steering=STEERING))
    groups = {}
    for media in parsed.media:
        groups.setdefault(media.group_id, []).append(media)
    for members in groups.values():
        names = [media.name for media in members]
        assert len(set(names)) == len(names)
        assert [media.default for media in members] == ["YES"] + ["NO"] * (len(members) - 1)
    used = {playlist.stream_info.audio for playlist in parsed.playlists} - {None}
    assert used == set(groups)


def test_a_pathway_url_cannot_end_an_attribute(publish, appliance, origin_pathway):
    evil = appliance("evil", 'http://evil.test/",X="')
    text = hls.multivariant(publish().title, (evil, origin_pathway), steering=STEERING)
    assert 'URI="http://evil.test/%22,X=%22/s/bunny/' in text


def test_a_media_tag_that_could_end_its_line_is_our_own_mistake(publish, origin_pathway):
    title = publish().changed(codecs='avc1"').title
    with pytest.raises(AssertionError):
        hls.multivariant(title, (origin_pathway,), steering=STEERING)
