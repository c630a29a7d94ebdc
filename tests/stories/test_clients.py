"""A client that is not ours, Debian's ffmpeg, plays the running fleet: every frame, over HLS and DASH."""

from __future__ import annotations

import asyncio
import re
from asyncio.subprocess import PIPE

import pytest

from bench.demo.fleet import Fleet
from control.kit.client import ServiceClient
from control.wire import PlaybackRequest, PlaybackSession, Title, decode, encode

pytestmark = [pytest.mark.ffmpeg, pytest.mark.media, pytest.mark.asyncio(loop_scope="session")]
FRAMES_PER_S = 25


async def frames_of(url: str) -> tuple[int, list[str]]:
    """Frames that ffmpeg decodes of the first video stream, and what it complained about."""
    command = ("ffmpeg", "-nostdin", "-v", "error", "-i", url, "-map", "0:v:0", "-f", "null", "-progress", "-", "-")
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    try:
        out, err = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    # ffmpeg says so when a playlist is on another host than the one before; it then opens a connection there.
    complaints = [line for line in err.decode().splitlines() if "Cannot reuse HTTP connection" not in line]
    return int(re.findall(r"frame=(\d+)", out.decode())[-1]), complaints


@pytest.mark.parametrize("manifest", ["hls_url", "dash_url"])
async def test_ffmpeg_decodes_every_frame(fleet: Fleet, title: Title, manifest: str) -> None:
    request = PlaybackRequest(title=title.id, profile="ffmpeg", device="terminal")
    async with ServiceClient("control", fleet.url("control")) as control:
        session = await control.post("/v1/playback", encode(request), lambda body: decode(body, PlaybackSession))
    frames, complaints = await frames_of(getattr(session, manifest))
    assert complaints == []
    assert frames == title.duration_ms * FRAMES_PER_S // 1000
