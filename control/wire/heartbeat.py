"""What an appliance says of itself, every few seconds, to steering and fill."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from control.wire.names import Amount, Count, Message, Name, Text, UnixSeconds, Url

ApplianceState = Literal["starting", "ready", "draining", "stopping"]
DiskState = Literal["ok", "full", "readonly", "failed", "missing"]


class DiskReport(msgspec.Struct, frozen=True, kw_only=True):
    """One disk. `reserve_bytes` of `capacity_bytes` are never filled by a plan."""

    id: Name
    tier: Literal["memory", "nvme", "hdd"]
    state: DiskState
    capacity_bytes: Count
    used_bytes: Count
    reserve_bytes: Count = 0
    error: Text = ""


class Heartbeat(Message, frozen=True, kw_only=True):
    """State, capacity and load. Idempotent: (`epoch`, `sequence`) orders an appliance's heartbeats.

    `epoch` changes when the appliance starts anew, so a lower sequence after a restart is not stale.
    """

    appliance: Name
    site: Name
    cluster: Name
    url: Url
    state: ApplianceState
    epoch: UnixSeconds
    sequence: Count
    at: UnixSeconds
    build: Text
    capacity_bps: Count
    egress_bps: Amount = 0.0
    requests_per_s: Amount = 0.0
    connections: Count = 0
    workers_ready: Count = 0
    workers_configured: Annotated[int, msgspec.Meta(ge=1)] = 1
    disks: tuple[DiskReport, ...] = ()
    serves: tuple[Text, ...] = ()
    """Client prefixes in CIDR form that this appliance serves."""
