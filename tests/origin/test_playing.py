from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

pytestmark = pytest.mark.media


@pytest.fixture
def ffmpeg() -> str:
    """Debian's ffmpeg: the bundled one reads only the first segment over HTTP and exits with 0."""
    found = shutil.which("ffmpeg", path="/usr/bin")
    if found is None:
        pytest.skip("needs Debian's ffmpeg")
    return found


async def test_ffmpeg_plays_every_frame_of_picture_and_sound_from_the_origin(
    made: Any, ffmpeg: str, origin_of: Callable[..., Awaitable[Any]]
) -> None:
    client = await origin_of(made.store)
    for rendition in made.title.renditions:
        url = f"{client.url}/s/{made.title.id}/{rendition.id}/media.m3u8"
        command = [ffmpeg, "-v", "error", "-i", url, "-f", "framemd5", "-"]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(60):
            output, errors = await process.communicate()
        frames = [line for line in output.decode().splitlines() if not line.startswith("#")]
        assert errors == b""
        if rendition.kind == "video":
            assert len(frames) == 200
        else:
            assert len(frames) * 1024 == pytest.approx(8 * 48000, abs=4 * 1024)
    meter = client.service.meter
    sent = meter.value("oca_origin_bytes_total", title=made.title.id, requester="player")
    assert sent >= sum(each.bytes for each in made.title.renditions)
