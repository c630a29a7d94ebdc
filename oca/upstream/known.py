"""A rendition's index as we work with it: decoded once, checked once, objects found by name. Pure."""

from __future__ import annotations

import msgspec
import xxhash

from control.wire import RenditionIndex, StoredObject
from oca.store.layout import INDEX, RenditionKey

_decoder = msgspec.json.Decoder(RenditionIndex)


class KnownIndex:
    """The index of one rendition. `data` are its bytes as published, `xxh3` their digest."""

    __slots__ = ("_positions", "data", "key", "message", "xxh3")

    def __init__(self, key: RenditionKey, message: RenditionIndex, data: bytes) -> None:
        self.key = key
        self.message = message
        self.data = data
        self.xxh3 = xxhash.xxh3_128_hexdigest(data)
        self._positions = {stored.name: position for position, stored in enumerate(message.objects)}

    def __repr__(self) -> str:
        return f"<KnownIndex {self.key}: {len(self.message.objects)} objects>"

    def position(self, name: str) -> int | None:
        """The bit of the object called `name`; None when the rendition has none."""
        return self._positions.get(name)

    def at(self, position: int) -> StoredObject:
        """The object at `position`."""
        return self.message.objects[position]

    @property
    def shelved(self) -> tuple[bytes, str, int]:
        """What the store keeps beside the objects: bytes, digest, number of objects."""
        return self.data, self.xxh3, len(self.message.objects)


def read_index(key: RenditionKey, data: bytes, *, object_limit: int, xxh3: str | None = None) -> KnownIndex:
    """The index of `key` in `data`. Raises ValueError saying what is wrong with it.

    `xxh3` is what its digest must be, where a plan says so; no object may be larger than `object_limit`.
    """
    if xxh3 is not None and xxhash.xxh3_128_hexdigest(data) != xxh3:
        raise ValueError(f"index of {key}: its checksum is not the plan's {xxh3}")
    try:
        message = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"index of {key}: {error}") from error
    if message.version > RenditionIndex.WIRE_VERSION:
        raise ValueError(f"index of {key}: version {message.version} is newer than {RenditionIndex.WIRE_VERSION}")
    if (message.title, message.rendition) != tuple(key):
        raise ValueError(f"index of {key}: is that of {message.title}/{message.rendition}")
    names = {stored.name for stored in message.objects}
    if len(names) != len(message.objects) or INDEX in names:
        raise ValueError(f"index of {key}: names an object twice, or itself")
    largest = max((stored.bytes for stored in message.objects), default=0)
    if largest > object_limit:
        raise ValueError(f"index of {key}: an object of {largest} bytes, and at most {object_limit} are kept")
    return KnownIndex(key, message, data)
