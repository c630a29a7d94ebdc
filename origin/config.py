"""Settings of the origin. `configs/origin.yaml` shows them in use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from control.kit import settings as kit
from control.kit.errors import ConfigError
from control.kit.quantity import Bytes, Seconds
from control.kit.settings import Listen, Settings, setting
from control.wire.names import Url


class LimitSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one client may cost us."""

    page: Annotated[int, setting("Titles on one page of the catalog.", ge=1, le=10_000)] = 1000
    piece: Annotated[Bytes, setting("Bytes read and sent at a time, from 4KiB to 16MiB.")] = Bytes(256 * 1024)
    stall: Annotated[Seconds, setting("A client that takes no bytes for so long is disconnected.")] = Seconds(30)
    drain: Annotated[Seconds, setting("Time for responses in flight to finish when we stop.")] = Seconds(10)


class OriginSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The origin."""

    listen: Annotated[Listen, setting("Where appliances, control and players reach us.")] = Listen(port=8200)
    url: Annotated[Url | None, setting("Our base URL as others see it, told in the log. null: from `listen`.")] = None
    store: Annotated[Path, setting("Directory that `oca ingest --store` publishes into; it must exist.")]
    limits: Annotated[LimitSettings, setting("What one client may cost us.")] = LimitSettings()


def load(path: Path) -> OriginSettings:
    """The settings in the file at `path`, checked as a whole. Raises ConfigError."""
    settings = kit.load(path, OriginSettings)
    for wrong in _contradictions(settings):
        raise ConfigError(f"{path}: {wrong}")
    return settings


def _contradictions(settings: OriginSettings) -> list[str]:
    wrong = []
    if not 4096 <= settings.limits.piece <= 16 * 1024 * 1024:
        wrong.append(f"limits.piece: {settings.limits.piece} bytes; from 4KiB to 16MiB is right, 256KiB is usual")
    if settings.limits.stall <= 0:
        wrong.append("limits.stall: must be more than 0; 30s is usual")
    return wrong
