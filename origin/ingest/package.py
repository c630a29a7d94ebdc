"""Packaging: encoded files into CMAF segments, a directory per rendition, a file per segment.

The packager cuts at key frames and writes boxes; its manifests are not made. What it wrote is read and
checked by `rendition.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from origin.ingest import tools
from origin.ingest.encode import AUDIO_NAME, SEGMENT_S

INIT_NAME = "init.mp4"
SEGMENT_PATTERN = "[0-9]*.m4s"
SEGMENT_DIGITS = 5


def package(encoded: Mapping[str, Path], into: Path, *, timeout_s: float) -> dict[str, Path]:
    """Cut every encoded file of the directory `into`; the directory of each rendition by name. Raises ToolError.

    The packager's stream descriptions have no quoting, so it is given names relative to `into` only.
    """
    streams = []
    for name, source in encoded.items():
        assert source.parent == into, source
        (into / name).mkdir()
        kind = "audio" if name == AUDIO_NAME else "video"
        streams.append(
            f"in={source.name},stream={kind},init_segment={name}/{INIT_NAME},"
            f"segment_template={name}/$Number%0{SEGMENT_DIGITS}d$.m4s"
        )
    lengths = ["--segment_duration", str(SEGMENT_S), "--fragment_duration", str(SEGMENT_S)]
    tools.run([tools.packager(), *streams, *lengths, "--quiet"], timeout_s=timeout_s, cwd=into)
    return {name: into / name for name in encoded}
