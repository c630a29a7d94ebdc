"""Messages to JSON bytes and back, with errors that say what was wrong and where."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from control.wire.names import Message

M = TypeVar("M", bound=Message)

MESSAGE_LIMIT_BYTES = 64 * 1024 * 1024
"""No message is larger: the full inventory of a 100 TB appliance stays below this."""


class WireError(ValueError):
    """Bytes that are not the message they should be. The sender is at fault."""


_encoder = msgspec.json.Encoder(order="deterministic")
_decoders: dict[type[Message], msgspec.json.Decoder[Message]] = {}


def encode(message: Message) -> bytes:
    """`message` as JSON. Equal messages give equal bytes."""
    return _encoder.encode(message)


def decode(data: bytes, kind: type[M]) -> M:
    """The message of type `kind` in `data`.

    Raises WireError naming the field and what it should be, or the version when that is newer than ours.
    """
    if len(data) > MESSAGE_LIMIT_BYTES:
        raise WireError(f"{kind.__name__} of {len(data)} bytes: at most {MESSAGE_LIMIT_BYTES} are read")
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    try:
        message = decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WireError(f"{kind.__name__}: {error}") from error
    if message.version > kind.WIRE_VERSION:
        raise WireError(
            f"{kind.__name__}: version {message.version} is newer than {kind.WIRE_VERSION}, "
            "the newest this build reads; upgrade the receiver first"
        )
    assert isinstance(message, kind)
    return message
