"""Orders to forget, and the receipt that says it is done."""

from __future__ import annotations

from typing import Literal

from control.wire.names import Count, Message, Name, Text, UnixSeconds


class PurgeOrder(Message, frozen=True, kw_only=True):
    """Forget a title, a rendition of it, or an object of that. Durable; carried out before serving again."""

    id: Name
    at: UnixSeconds
    title: Name
    rendition: Name | None = None
    object: Name | None = None
    reason: Text = ""


class Receipt(Message, frozen=True, kw_only=True):
    """One appliance's answer to an order, sent when no worker and no disk has the bytes any more."""

    order: Name
    appliance: Name
    at: UnixSeconds
    state: Literal["done", "failed"]
    objects: Count = 0
    bytes: Count = 0
    error: Text = ""
