"""Titles and indexes are believed only when every statement in them holds."""

import msgspec
import pytest
import xxhash

from control.catalog.verify import RefusedError, check_title, checked_index
from control.wire import RenditionIndex, decode, encode


def with_index(published, **fields):
    """The first rendition's index changed, and the title changed along so that only the index is wrong."""
    rendition = published.title.renditions[0]
    index = msgspec.structs.replace(decode(published.bodies[rendition.id], RenditionIndex), **fields)
    return sealed(published, index, encode(index))


def sealed(published, index, body):
    rendition = msgspec.structs.replace(
        published.title.renditions[0],
        index_bytes=len(body),
        index_xxh3=xxhash.xxh3_128_hexdigest(body),
        bytes=index.bytes,
        objects=len(index.objects),
    )
    return published.title, rendition, body


def objects_of(published):
    return list(decode(published.bodies[published.title.renditions[0].id], RenditionIndex).objects)


def test_a_true_title_and_its_indexes_are_believed(publish):
    published = publish(audios=(("en", 128_000), ("pt-BR", 128_000)))
    check_title(published.title)
    for rendition in published.title.renditions:
        index = checked_index(published.title, rendition, published.bodies[rendition.id])
        assert index.bytes == rendition.bytes


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("bytes", 1, "the title says 1"),
        ("objects", 3, "17 objects, the title says 3"),
        ("index_bytes", 5, "bytes, the title says 5"),
        ("index_xxh3", "f" * 32, "xxh3"),
    ],
)
def test_a_title_that_lies_about_its_index_is_refused(publish, field, value, words):
    published = publish().changed(**{field: value})
    rendition = published.title.renditions[0]
    with pytest.raises(RefusedError, match=words):
        checked_index(published.title, rendition, published.bodies[rendition.id])


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"codecs": 'avc1"\n#EXT-X-ENDLIST'}, "not one RFC 6381 codec"),
        ({"codecs": "avc1,mp4a"}, "not one RFC 6381 codec"),
        ({"language": 'en"'}, "not a BCP 47 tag"),
        ({"width": 0}, "without width"),
        ({"frame_rate": 0.0}, "without width, height or frame rate"),
        ({"average_bandwidth_bps": 10**9}, "above the peak"),
        ({"index_bytes": 2**40}, "index of"),
        ({"kind": "audio"}, "audio without channels"),
    ],
)
def test_what_manifests_could_not_say_is_refused(publish, fields, words):
    with pytest.raises(RefusedError, match=words):
        check_title(publish().changed(**fields).title)


def test_a_title_needs_renditions_a_duration_and_distinct_ids(publish):
    title = publish().title
    for fields, words in (
        ({"renditions": ()}, "0 renditions"),
        ({"duration_ms": 0}, "lasts 0 ms"),
        ({"renditions": title.renditions * 2}, "listed twice"),
    ):
        with pytest.raises(RefusedError, match=words):
            check_title(msgspec.structs.replace(title, **fields))


def test_an_index_of_another_rendition_is_refused(publish):
    with pytest.raises(RefusedError, match="index is that of"):
        checked_index(*with_index(publish(), rendition="v999-x"))


def test_an_index_that_is_no_index_is_refused(publish):
    published = publish()
    index = decode(published.bodies[published.title.renditions[0].id], RenditionIndex)
    with pytest.raises(RefusedError, match="RenditionIndex"):
        checked_index(*sealed(published, index, b"{}"))


def test_a_gap_in_the_media_is_refused(publish):
    published = publish()
    objects = objects_of(published)
    del objects[3]
    with pytest.raises(RefusedError, match=r"media 3 is called 00004.m4s, not 00003.m4s"):
        checked_index(*with_index(published, objects=tuple(objects)))


@pytest.mark.parametrize(("kind", "name"), [("init", "init.mp4"), ("playlist", "media.m3u8")])
def test_an_index_without_what_players_fetch_first_is_refused(publish, kind, name):
    published = publish()
    objects = tuple(each for each in objects_of(published) if each.kind != kind)
    with pytest.raises(RefusedError, match=f"exactly one {kind} object, called {name}"):
        checked_index(*with_index(published, objects=objects))


def test_media_without_duration_is_refused(publish):
    published = publish()
    objects = objects_of(published)
    objects[2] = msgspec.structs.replace(objects[2], duration=0)
    with pytest.raises(RefusedError, match=r"00002.m4s is empty"):
        checked_index(*with_index(published, objects=tuple(objects)))


def test_a_rendition_of_another_length_than_its_title_is_refused(publish):
    with pytest.raises(RefusedError, match=r"lasts 6\.0 s, the title 60\.0 s"):
        checked_index(*with_index(publish(), timescale=128_000))
