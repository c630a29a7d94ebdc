"""Settings of the steering service. `configs/steering.yaml` shows them in use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from control.kit import settings as kit
from control.kit.errors import ConfigError
from control.kit.quantity import Bytes, Seconds
from control.kit.settings import Listen, Settings, setting
from control.wire import Name
from control.wire.names import Url


class OriginPathway(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The origin as a pathway: the last resort of every list."""

    name: Annotated[Name, setting("Pathway id of the origin; no appliance may be called so.")] = "origin"
    url: Annotated[Url, setting("Base URL that players join keys to, as an appliance's.")] = "http://127.0.0.1:8200"


class ProbeSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How appliances are probed. Time to notice a death: interval x failures, plus the timeout if it hangs."""

    interval: Annotated[Seconds, setting("Pause between rounds of probes.")] = Seconds(0.5)
    timeout: Annotated[Seconds, setting("Time for an appliance to answer a probe.")] = Seconds(0.5)
    failures: Annotated[int, setting("Failures in a row that take an appliance out.", ge=1, le=100)] = 2
    successes: Annotated[int, setting("Successes in a row that bring it back.", ge=1, le=1000)] = 3
    concurrency: Annotated[int, setting("Probes under way at once.", ge=1, le=4096)] = 128


class LimitSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How large anything that strangers send may make us grow."""

    appliances: Annotated[int, setting("Appliances known at once.", ge=1)] = 1000
    prefixes_each: Annotated[int, setting("Client prefixes of one appliance.", ge=1)] = 100_000
    renditions_each: Annotated[int, setting("Renditions in one appliance's inventory.", ge=1)] = 200_000
    decisions: Annotated[int, setting("Recent decisions kept for look-up.", ge=1)] = 10_000
    inventory: Annotated[Bytes, setting("Bytes of one inventory.")] = Bytes(64 * 1024 * 1024)
    message: Annotated[Bytes, setting("Bytes of any other message.")] = Bytes(8 * 1024 * 1024)


class SteeringSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The steering service."""

    listen: Annotated[Listen, setting("Where players and appliances reach us.")] = Listen(port=8202)
    url: Annotated[
        Url | None, setting("Our base URL as players see it; written into steering manifests. null: from `listen`.")
    ] = None
    origin: Annotated[OriginPathway, setting("The origin, last in every list.")] = OriginPathway()
    ttl: Annotated[Seconds, setting("How long players rely on a list while all is well.")] = Seconds(300)
    degraded_ttl: Annotated[Seconds, setting("The same while something is wrong; 10 s to 30 s is usual.")] = Seconds(10)
    degraded_for: Annotated[Seconds, setting("How long after a death the shorter time holds.")] = Seconds(60)
    heartbeat_ttl: Annotated[Seconds, setting("An appliance silent for longer is taken out.")] = Seconds(5)
    believed_silence: Annotated[
        float,
        setting(
            "If a larger share of the fleet falls silent at once, the network is at fault and probes alone decide.",
            ge=0,
            le=1,
        ),
    ] = 0.15
    forget_after: Annotated[Seconds, setting("An appliance silent for longer leaves the view.")] = Seconds(3600)
    probe: Annotated[ProbeSettings, setting("How appliances are probed.")] = ProbeSettings()
    limits: Annotated[LimitSettings, setting("How large the view may grow.")] = LimitSettings()


def load(path: Path) -> SteeringSettings:
    """The settings in the file at `path`, checked as a whole. Raises ConfigError."""
    settings = kit.load(path, SteeringSettings)
    for wrong in _contradictions(settings):
        raise ConfigError(f"{path}: {wrong}")
    return settings


def _contradictions(settings: SteeringSettings) -> list[str]:
    wrong = []
    if settings.probe.interval <= 0 or settings.probe.timeout <= 0:
        wrong.append("probe: interval and timeout must be more than 0")
    if settings.ttl < 1 or settings.degraded_ttl < 1:
        wrong.append("ttl and degraded_ttl: must be at least 1 s; the standard counts whole seconds")
    if settings.heartbeat_ttl <= 0:
        wrong.append("heartbeat_ttl: must be more than 0; three heartbeat intervals or more are right")
    if settings.forget_after <= settings.heartbeat_ttl:
        wrong.append("forget_after: must be longer than heartbeat_ttl")
    if settings.url is None and settings.listen.host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        wrong.append(f"url: is needed when listening on {settings.listen.host}; players cannot go there")
    return wrong
