"""The messages between a front worker and the keeper, and their framing.

Pure. A frame is a 4-byte big-endian length and one message in msgpack. Both ends are processes of one
appliance and one build, so there is no version. Rules:

- A worker asks `Want` once per key however many of its clients wait, and gets `Growing` or `Refused`.
- After `Growing` come `Grown` as bytes become safe to send, then `Stored` or `Failed`. The last bytes
  are announced only after the checksum held: a lying upstream can never complete a response.
- `Gone` means: close what you hold open under this name; never serve it again unless it is stored anew.
"""

from __future__ import annotations

import struct

import msgspec

FRAME_LIMIT_BYTES = 4 * 1024 * 1024
_LENGTH = struct.Struct(">I")


class Said(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Base of everything said over the link."""


class Hello(Said, frozen=True, tag=True, array_like=True):
    """Worker → keeper, first of all."""

    worker: int
    pid: int


class Want(Said, frozen=True, tag=True, array_like=True):
    """Worker → keeper: `key` (`title/rendition/object`) is on no disk. `via`: appliances already asked (CDN-Loop)."""

    key: str
    via: tuple[str, ...] = ()


class ServedRow(msgspec.Struct, frozen=True, array_like=True):
    """What one worker sent of one rendition since its last report. `objects`: object name → requests."""

    title: str
    rendition: str
    requests: int
    bytes: int
    objects: dict[str, int]


class Served(Said, frozen=True, tag=True, array_like=True):
    """Worker → keeper, every second. `counters` are totals since the worker started, by metric name."""

    connections: int
    counters: dict[str, float]
    rows: tuple[ServedRow, ...] = ()


class Welcome(Said, frozen=True, tag=True, array_like=True):
    """Keeper → worker, answering Hello: the directories to look in, in order."""

    disks: tuple[str, ...]


class Growing(Said, frozen=True, tag=True, array_like=True):
    """Keeper → worker: `key` is arriving in the file at `path` and will be `length` bytes."""

    key: str
    path: str
    length: int
    available: int


class Grown(Said, frozen=True, tag=True, array_like=True):
    """Keeper → worker: the first `available` bytes may be sent."""

    key: str
    available: int


class Stored(Said, frozen=True, tag=True, array_like=True):
    """Keeper → worker: `key` is complete, verified and under its real name at `path`."""

    key: str
    path: str


class Refused(Said, frozen=True, tag=True, array_like=True):
    """Keeper → worker: `key` cannot be had. `status` is the HTTP status for the player."""

    key: str
    status: int
    reason: str


class Failed(Said, frozen=True, tag=True, array_like=True):
    """Keeper → worker: a `Growing` object broke off; responses under way must be cut, not completed."""

    key: str
    reason: str


class Gone(Said, frozen=True, tag=True, array_like=True):
    """Keeper → worker: everything whose key starts with `prefix` (ending in `/`) or equals it is gone."""

    prefix: str


class Disks(Said, frozen=True, tag=True, array_like=True):
    """Keeper → worker: a disk came or went; look in these from now on."""

    disks: tuple[str, ...]


Message = Hello | Want | Served | Welcome | Growing | Grown | Stored | Refused | Failed | Gone | Disks

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def frame(message: Message) -> bytes:
    """`message` as bytes for the socket."""
    body = _encoder.encode(message)
    assert len(body) <= FRAME_LIMIT_BYTES, f"{type(message).__name__} of {len(body)} bytes is too long for a frame"
    return _LENGTH.pack(len(body)) + body


class Deframer:
    """Bytes in as they arrive, whole messages out."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages completed by `data`. Raises ValueError on a frame that cannot be ours."""
        self._pending += data
        messages: list[Message] = []
        start = 0
        while len(self._pending) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._pending, start)
            if length > FRAME_LIMIT_BYTES:
                raise ValueError(f"a frame of {length} bytes; at most {FRAME_LIMIT_BYTES}")
            end = start + _LENGTH.size + length
            if end > len(self._pending):
                break
            messages.append(_decoder.decode(bytes(self._pending[start + _LENGTH.size : end])))
            start = end
        del self._pending[:start]
        return messages
