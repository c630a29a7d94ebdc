"""The HLS multivariant playlist of a session (draft-pantos-hls-rfc8216bis). Pure.

Every pathway lists its own variants and its own audio groups with absolute URIs: players differ in what they make
of pathway clones, and all of them understand this. Media playlists lie with the segments, on every pathway.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from control.playback.ladder import AudioGroup, Variant, frame_rate_fraction, variants
from control.playback.links import title_base
from control.wire import RankedPathway, Rendition, Title

CONTENT_TYPE = "application/vnd.apple.mpegurl"
VERSION = 7
MEDIA_PLAYLIST = "media.m3u8"


def multivariant(title: Title, pathways: Sequence[RankedPathway], *, steering: str) -> str:
    """The playlist for `pathways`, best first; players poll the steering manifest at `steering`."""
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    first = pathways[0].pathway
    lines.append(f"#EXT-X-CONTENT-STEERING:SERVER-URI={_quoted(steering)},PATHWAY-ID={_quoted(first)}")
    choices = variants(title)
    for pathway in pathways:
        lines += _pathway(choices, pathway.pathway, title_base(pathway.url, title.id))
    return "\n".join(lines) + "\n"


def _pathway(choices: Sequence[Variant], pathway: str, base: str) -> Iterator[str]:
    groups = {variant.audio.id: variant.audio for variant in choices if variant.audio is not None}
    for group in groups.values():
        yield from _audio(group, pathway, base)
    for variant in choices:
        yield _variant(variant, pathway)
        yield _uri(base, variant.main)


def _audio(group: AudioGroup, pathway: str, base: str) -> Iterator[str]:
    """EXT-X-MEDIA (4.4.6.1): one per language; the first is what plays unless the viewer chooses."""
    for number, member in enumerate(group.members):
        yield _tag(
            "EXT-X-MEDIA",
            ("TYPE", "AUDIO"),
            ("GROUP-ID", _quoted(_group_id(group, pathway))),
            ("NAME", _quoted(member.language)),
            ("LANGUAGE", _quoted(member.language)),
            ("STABLE-RENDITION-ID", _quoted(member.id)),
            ("DEFAULT", "YES" if number == 0 else "NO"),
            ("AUTOSELECT", "YES"),
            ("CHANNELS", _quoted(str(member.channels))),
            ("URI", _quoted(_uri(base, member))),
        )


def _variant(variant: Variant, pathway: str) -> str:
    """EXT-X-STREAM-INF (4.4.6.2)."""
    main, audio = variant.main, variant.audio
    attributes = [
        ("BANDWIDTH", str(variant.bandwidth_bps)),
        ("AVERAGE-BANDWIDTH", str(variant.average_bandwidth_bps)),
        ("CODECS", _quoted(main.codecs if audio is None else f"{main.codecs},{audio.codecs}")),
    ]
    if main.kind == "video":
        attributes += [
            ("RESOLUTION", f"{main.width}x{main.height}"),
            ("FRAME-RATE", f"{float(frame_rate_fraction(main.frame_rate)):.3f}"),
        ]
    stable = main.id if audio is None else f"{main.id}.{audio.id}"
    attributes += [("STABLE-VARIANT-ID", _quoted(stable)), ("PATHWAY-ID", _quoted(pathway))]
    if audio is not None:
        attributes.append(("AUDIO", _quoted(_group_id(audio, pathway))))
    return _tag("EXT-X-STREAM-INF", *attributes)


def _group_id(group: AudioGroup, pathway: str) -> str:
    return f"{group.id}.{pathway}"


def _uri(base: str, rendition: Rendition) -> str:
    return f"{base}{rendition.id}/{MEDIA_PLAYLIST}"


def _tag(name: str, *attributes: tuple[str, str]) -> str:
    return f"#{name}:" + ",".join(f"{key}={value}" for key, value in attributes)


def _quoted(text: str) -> str:
    """A quoted-string (4.2). What comes from outside was checked where it came in."""
    assert not any(character in text for character in '"\r\n'), text
    return f'"{text}"'
