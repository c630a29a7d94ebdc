"""A route an ISP announced to an appliance."""

from __future__ import annotations

import msgspec

from control.wire.names import Count, Message, Name, Text


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One prefix as learned over BGP (RFC 4271); communities as `64500:1` or `64500:1:2`."""

    prefix: Text
    as_path: tuple[Count, ...] = ()
    med: Count | None = None
    communities: tuple[Text, ...] = ()
    next_hop: Text = ""


class RouteAdvert(Message, frozen=True, kw_only=True):
    """Routes learned (`full`: all of them) and withdrawn since the last advert."""

    appliance: Name
    peer: Text
    sequence: Count
    full: bool
    announced: tuple[Route, ...] = ()
    withdrawn: tuple[Text, ...] = ()
