"""Common Media Server Data (CTA-5006): what this hop knows of its connection to the player. Pure.

From the bytes of `struct tcp_info` (linux/tcp.h) to the response field CMSD-Dynamic. The estimate is the
standard's own: the smaller of congestion and receive window for each round trip.
"""

from __future__ import annotations

import struct
from typing import Final

import msgspec

TCP_INFO_BYTES: Final = 256
"""What getsockopt(IPPROTO_TCP, TCP_INFO) should be asked for; older kernels give less."""
_ESTIMATE_LIMIT: Final = 999_999_999_999_999
"""The largest integer of a structured field (RFC 9651, 3.3.1)."""

_SND_MSS = struct.Struct("=16xI")
_RTT_AND_CWND = struct.Struct("=68xI8xI")
_DELIVERY_RATE = struct.Struct("=160xQ")
_SND_WND = struct.Struct("=228xI")


class Connection(msgspec.Struct, frozen=True, gc=False):
    """What the kernel knows of a connection. None: this kernel does not tell, or nothing was measured yet."""

    rtt_us: int
    """Smoothed round-trip time; 0 before the first measurement."""
    cwnd: int
    """Congestion window in packets."""
    mss: int
    """Bytes of a packet."""
    receive_window: int | None = None
    """Bytes the player is ready to take (Linux 5.4)."""
    delivery_rate: int | None = None
    """Bytes/s lately delivered; too low while there was too little to send (Linux 4.9)."""


def connection(info: bytes) -> Connection | None:
    """`info`, as TCP_INFO gave it; None when it is too short to say anything."""
    if len(info) < _RTT_AND_CWND.size:
        return None
    (mss,) = _SND_MSS.unpack_from(info)
    rtt_us, cwnd = _RTT_AND_CWND.unpack_from(info)
    rate = _DELIVERY_RATE.unpack_from(info)[0] if len(info) >= _DELIVERY_RATE.size else 0
    window = _SND_WND.unpack_from(info)[0] if len(info) >= _SND_WND.size else 0
    return Connection(rtt_us, cwnd, mss, window or None, rate or None)


def estimate_kbps(seen: Connection) -> int | None:
    """Estimated throughput in kbit/s, rounded to the nearest integer; None before a round trip was measured.

    `8 · min(cwnd · mss, rwnd) / rtt` with the time in milliseconds (CTA-5006, key etp).

    >>> estimate_kbps(Connection(rtt_us=18_000, cwnd=75, mss=1440))
    48000
    """
    if seen.rtt_us <= 0:
        return None
    window = seen.cwnd * seen.mss
    if seen.receive_window is not None:
        window = min(window, seen.receive_window)
    return min((8_000 * window + seen.rtt_us // 2) // seen.rtt_us, _ESTIMATE_LIMIT)


def dynamic(name: str, seen: Connection | None, *, overloaded: bool = False) -> bytes:
    r"""The line `CMSD-Dynamic` for this hop, with its line end; empty when there is nothing to tell.

    `overloaded` asks the player to move away (key du). A round trip below half a millisecond is told as 1.

    >>> dynamic("oca12", Connection(rtt_us=18_000, cwnd=75, mss=1440), overloaded=True)
    b'CMSD-Dynamic: "oca12";etp=48000;rtt=18;du\r\n'
    """
    estimate = estimate_kbps(seen) if seen is not None else None
    measured = b";etp=%d;rtt=%d" % (estimate, max((seen.rtt_us + 500) // 1000, 1)) if seen and estimate else b""
    if not measured and not overloaded:
        return b""
    return b'CMSD-Dynamic: "%b"%b%b\r\n' % (name.encode("ascii"), measured, b";du" if overloaded else b"")
