"""Which appliance is best for a client, why, and the standard manifest that tells the player."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from control.wire.names import Message, Name, Text, UnixSeconds, Url


class SteeringQuery(Message, frozen=True, kw_only=True):
    """Who asks, for what. `client` is the player's address, v4 or v6, as text."""

    client: Text
    title: Name
    session: Name | None = None


class RankedPathway(msgspec.Struct, frozen=True, kw_only=True):
    """One place to stream from. `pathway` is its id in manifests, `url` the base that keys are joined to."""

    pathway: Name
    kind: Literal["appliance", "origin"]
    url: Url
    reasons: tuple[Text, ...] = ()


class RejectedPathway(msgspec.Struct, frozen=True, kw_only=True):
    """A place that was considered and left out."""

    pathway: Name
    reason: Text


class SteeringDecision(Message, frozen=True, kw_only=True):
    """Pathways best first. `ttl_s` is how long a player may rely on it."""

    id: Name
    at: UnixSeconds
    client: Text
    title: Name
    ttl_s: Annotated[int, msgspec.Meta(ge=1)]
    pathways: tuple[RankedPathway, ...]
    rejected: tuple[RejectedPathway, ...] = ()


class SteeringManifest(msgspec.Struct, frozen=True, kw_only=True):
    """The body a player polls (draft-pantos-content-steering, ETSI TS 103 998); same for HLS and DASH."""

    version: Annotated[int, msgspec.Meta(ge=1)] = msgspec.field(name="VERSION", default=1)
    ttl_s: Annotated[int, msgspec.Meta(ge=1)] = msgspec.field(name="TTL")
    reload_uri: Url = msgspec.field(name="RELOAD-URI")
    pathway_priority: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1)] = msgspec.field(name="PATHWAY-PRIORITY")
