"""RFC 6381 codec strings from the decoder configuration that a track carries.

Pure. Players decide by this string whether they can play a rendition, so it is read from the bytes
they will get and never from what an encoder was asked to do.
"""

from __future__ import annotations

from origin.ingest.boxes import BoxError

_ES, _DECODER_CONFIG, _DECODER_SPECIFIC = 3, 4, 5
_AAC_OBJECT_TYPE = 0x40
_AAC_ESCAPE = 31


def avc_string(record: bytes) -> str:
    """The string of an AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1; RFC 6381, 3.3).

    >>> avc_string(bytes([1, 0x64, 0x00, 0x28, 0xFF]))
    'avc1.640028'
    """
    if len(record) < 4 or record[0] != 1:
        raise BoxError("avcC is not an AVC decoder configuration of version 1")
    return f"avc1.{record[1]:02x}{record[2]:02x}{record[3]:02x}"


def aac_string(descriptors: bytes) -> str:
    """The string of the ES descriptor in an esds box (ISO/IEC 14496-1, 7.2.6.5; RFC 6381, 3.3).

    >>> aac_string(bytes.fromhex("0316000000041140150000000000000000000000" "05021190"))
    'mp4a.40.2'
    """
    tag, stream, _ = _descriptor(descriptors)
    if tag != _ES or len(stream) < 3:
        raise BoxError("esds does not start with an ES descriptor")
    tag, config, _ = _descriptor(stream[_es_header_bytes(stream) :])
    if tag != _DECODER_CONFIG or len(config) < 13:
        raise BoxError("esds holds no decoder configuration")
    if config[0] != _AAC_OBJECT_TYPE:
        return f"mp4a.{config[0]:02x}"
    tag, specific, _ = _descriptor(config[13:])
    if tag != _DECODER_SPECIFIC or len(specific) < 2:
        raise BoxError("esds holds no audio configuration")
    object_type = specific[0] >> 3
    if object_type == _AAC_ESCAPE:
        object_type = 32 + (((specific[0] & 7) << 3) | (specific[1] >> 5))
    return f"mp4a.40.{object_type}"


def _es_header_bytes(stream: bytes) -> int:
    """Bytes before the first descriptor inside an ES descriptor: its id, flags and what the flags announce."""
    flags = stream[2]
    length = 3
    if flags & 0x80:
        length += 2
    if flags & 0x40:
        length += 1 + (stream[length] if length < len(stream) else 0)
    if flags & 0x20:
        length += 2
    return length


def _descriptor(data: bytes) -> tuple[int, bytes, int]:
    """Tag, body and total length of the descriptor that `data` starts with (ISO/IEC 14496-1, 8.3.3)."""
    size = 0
    for position in range(1, 5):
        if position >= len(data):
            break
        size = (size << 7) | (data[position] & 0x7F)
        if not data[position] & 0x80:
            end = position + 1 + size
            if end > len(data):
                break
            return data[0], data[position + 1 : end], end
    raise BoxError("esds: a descriptor is cut off")
