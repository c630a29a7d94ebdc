"""The burnt-in time and frame number, drawn here: no font has to be on the machine.

Pure. A frame is grey pixels of SIZE; ffmpeg enlarges them and lays them over the picture. Whoever looks
at a frame of a rendition, or at a screenshot of a player, can say which frame of the title it is.
"""

from __future__ import annotations

from collections.abc import Iterator

from origin.ingest.ladder import Size

_CELL, _ROWS, _MARGIN = 6, 7, 3
_PAPER, _INK = 0x10, 0xEB
_GLYPHS = {
    "0": "01110 10001 10011 10101 11001 10001 01110",
    "1": "00100 01100 00100 00100 00100 00100 01110",
    "2": "01110 10001 00001 00110 01000 10000 11111",
    "3": "11110 00001 00001 01110 00001 00001 11110",
    "4": "00010 00110 01010 10010 11111 00010 00010",
    "5": "11111 10000 11110 00001 00001 10001 01110",
    "6": "00110 01000 10000 11110 10001 10001 01110",
    "7": "11111 00001 00010 00100 01000 01000 01000",
    "8": "01110 10001 10001 01110 10001 10001 01110",
    "9": "01110 10001 10001 01111 00001 00010 01100",
    ":": "00000 00100 00100 00000 00100 00100 00000",
    "#": "01010 01010 11111 01010 11111 01010 01010",
    " ": "00000 00000 00000 00000 00000 00000 00000",
}
_LENGTH = len("00:00:00:00 #000000")
SIZE = Size(_LENGTH * _CELL + 2 * _MARGIN, _ROWS + 2 * _MARGIN + 1)


def label(frame: int, frames_per_s: int) -> str:
    """What is burnt into `frame`: hours, minutes, seconds, frame of the second; then the frame's number.

    >>> label(90_305, 25)
    '01:00:12:05 #090305'
    """
    seconds, rest = divmod(frame, frames_per_s)
    return f"{seconds // 3600 % 100:02}:{seconds // 60 % 60:02}:{seconds % 60:02}:{rest:02} #{frame % 1_000_000:06}"


def drawn(text: str) -> bytes:
    """`text` as SIZE grey pixels, row by row."""
    assert len(text) == _LENGTH, text
    empty = bytes([_PAPER]) * SIZE.width
    side = bytes([_PAPER]) * _MARGIN
    rows = [side + b"".join(_line(character, row) for character in text) + side for row in range(_ROWS)]
    return b"".join([empty] * _MARGIN + rows + [empty] * (SIZE.height - _ROWS - _MARGIN))


def _line(character: str, row: int) -> bytes:
    bits = _GLYPHS[character].split(" ")[row] + "0"
    return bytes(_INK if bit == "1" else _PAPER for bit in bits)


def frames(count: int, frames_per_s: int) -> Iterator[bytes]:
    """The first `count` frames, one after another."""
    for frame in range(count):
        yield drawn(label(frame, frames_per_s))
