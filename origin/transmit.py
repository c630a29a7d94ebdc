"""An open object's bytes to a client: read without blocking the loop, never more in memory than one piece.

Bytes in the page cache are read at once (`RWF_NOWAIT`), cold ones in a thread. A body that cannot be
finished ends with the connection, so no client takes half an object for a whole one.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from typing import Literal

from aiohttp import web

from origin.storage.port import Opened

End = Literal["whole", "client", "stalled", "storage"]
"""How a body ended: with its last byte, or cut off by whom."""


async def opened(open_it: Callable[[], Opened | None]) -> Opened | None:
    """What `open_it` gives, run in a thread; closed by us when nobody waits for it any more."""
    opening = asyncio.get_running_loop().run_in_executor(None, open_it)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_unwanted)
        raise


def _close_unwanted(opening: asyncio.Future[Opened | None]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        unwanted = opening.result()
        if unwanted is not None:
            os.close(unwanted.descriptor)


async def send(
    response: web.StreamResponse, descriptor: int, due: range, *, piece_bytes: int, stall_s: float
) -> tuple[int, End]:
    """Send the bytes at the offsets `due`; how many went out, and how it ended."""
    for at in range(due.start, due.stop, piece_bytes):
        sent = at - due.start
        try:
            piece = await read(descriptor, at, min(piece_bytes, due.stop - at))
        except OSError:
            return sent, "storage"
        try:
            async with asyncio.timeout(stall_s):
                await response.write(piece)
        except TimeoutError:
            return sent, "stalled"
        except ConnectionError:
            return sent, "client"
    return len(due), "whole"


async def read(descriptor: int, offset: int, count: int) -> bytes | bytearray:
    """The `count` bytes at `offset`. Raises OSError, also when the file ends before."""
    piece = bytearray(count)
    try:
        got = os.preadv(descriptor, [piece], offset, os.RWF_NOWAIT)
    except OSError:  # not in memory, or a file system that cannot say: a thread may wait for it
        got = 0
    if got < count:
        got += await asyncio.to_thread(_read_rest, descriptor, memoryview(piece)[got:], offset + got)
    return piece


def _read_rest(descriptor: int, into: memoryview, offset: int) -> int:
    done = 0
    while done < len(into):
        got = os.preadv(descriptor, [into[done:]], offset + done)
        if got == 0:
            raise OSError(errno.EIO, "the file ends before its length")
        done += got
    return done
