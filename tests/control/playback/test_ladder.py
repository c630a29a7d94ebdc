"""Which renditions are offered together."""

from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control.playback.ladder import audio_classes, frame_rate_fraction, tracks, variants


def test_low_video_goes_with_low_audio_and_high_with_high(publish):
    videos = tuple((w, w // 2, bps) for w, bps in ((320, 100_000), (640, 200_000), (1280, 300_000), (1920, 400_000)))
    title = publish(videos=videos, audios=(("en", 128_000), ("en", 64_000))).title
    assert [(variant.main.width, variant.audio.members[0].bandwidth_bps) for variant in variants(title)] == [
        (320, 64_000),
        (640, 64_000),
        (1280, 128_000),
        (1920, 128_000),
    ]


def test_a_language_with_one_quality_is_offered_at_every_quality(publish):
    title = publish(audios=(("en", 64_000), ("en", 128_000), ("fr", 64_000))).title
    (groups,) = audio_classes(title)
    assert [[(member.language, member.bandwidth_bps) for member in group.members] for group in groups] == [
        [("en", 64_000), ("fr", 64_000)],
        [("en", 128_000), ("fr", 64_000)],
    ]


def test_a_title_without_video_offers_its_audio(publish):
    title = publish(videos=(), audios=(("en", 64_000), ("en", 128_000))).title
    assert [(variant.main.bandwidth_bps, variant.audio) for variant in variants(title)] == [
        (64_000, None),
        (128_000, None),
    ]


def test_a_title_without_audio_offers_its_video_alone(publish):
    assert all(variant.audio is None for variant in variants(publish(audios=()).title))


@pytest.mark.parametrize(
    ("rate", "fraction"),
    [(23.976, "24000/1001"), (29.97, "30000/1001"), (59.94, "60000/1001"), (24.0, "24"), (50, "50"), (12.5, "25/2")],
)
def test_a_rounded_frame_rate_is_the_broadcast_one(rate, fraction):
    assert frame_rate_fraction(rate) == Fraction(fraction)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_video_is_offered_and_every_track_switches_upwards(strategies, data):
    title = data.draw(strategies.titles).title
    videos = {rendition.id for rendition in title.renditions if rendition.kind == "video"}
    assert {variant.main.id for variant in variants(title)} == videos or not videos
    assert sorted(each.id for track in tracks(title) for each in track) == sorted(each.id for each in title.renditions)
    for track in tracks(title):
        rates = [rendition.bandwidth_bps for rendition in track]
        assert rates == sorted(rates)
