"""Sizes of titles and lookups in an index."""

from __future__ import annotations

from pathlib import Path

from control.wire import RenditionIndex, Title, decode

EXAMPLES = Path(__file__).parent / "examples"


def test_a_title_is_as_large_as_its_renditions_and_their_indexes() -> None:
    title = decode((EXAMPLES / "title.json").read_bytes(), Title)
    assert title.bytes == sum(each.bytes for each in title.renditions) + sum(
        each.index_bytes for each in title.renditions
    )


def test_an_index_finds_objects_by_name_and_says_none_for_others() -> None:
    index = decode((EXAMPLES / "rendition_index.json").read_bytes(), RenditionIndex)
    assert index.find("00002.m4s") == index.objects[2]
    assert index.find("index.json") is None
    assert index.bytes == sum(each.bytes for each in index.objects)
