"""Self-preservation: telling a silent appliance from a deaf steering service.

Pure. Heartbeats that stop one by one are the appliances' fault. Heartbeats that stop together for a
large part of the fleet are the network's or our own: then silence alone takes nobody out, and the active
probe decides (after Eureka's self-preservation: renewals below 85 % at once).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

LEAST_TOGETHER = 2
"""One appliance that falls silent alone is never preserved, however small the fleet."""


@dataclass(frozen=True)
class Patience:
    """When heartbeats count as missing, and what share of them going missing at once is not believed."""

    ttl_s: float
    believed_share: float
    """Up to this share of a fleet may fall silent at once and be believed (0.15: Eureka's 85 %)."""


def fell_silent_together(last_heard: float, others_last_heard: Iterable[float], now: float, patience: Patience) -> bool:
    """Whether an appliance last heard at `last_heard` fell silent together with too many others to believe it.

    `others_last_heard` has a time for every other appliance that is expected to send heartbeats.

    >>> p = Patience(ttl_s=5, believed_share=0.15)
    >>> fell_silent_together(10.0, [11.0, 19.0], 20.0, p), fell_silent_together(10.0, [18.0, 19.0], 20.0, p)
    (True, False)
    """
    silent, renewing = 1, 0
    for heard in others_last_heard:
        if now - heard <= patience.ttl_s:
            renewing += 1
        elif abs(heard - last_heard) <= patience.ttl_s:
            silent += 1
    return silent >= LEAST_TOGETHER and silent > patience.believed_share * (silent + renewing)
