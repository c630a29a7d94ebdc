"""Settings of the control plane. `configs/control.yaml` shows them in use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from control.kit import settings as kit
from control.kit.errors import ConfigError
from control.kit.quantity import Seconds
from control.kit.settings import Listen, Settings, setting
from control.wire.names import Url


class ResumeSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a viewer resumes, and which of two devices counts."""

    completed: Annotated[float, setting("Share of a title after which it counts as seen.", gt=0, le=1)] = 0.95
    restarted: Annotated[
        float, setting("Share that another session must pass before a title seen counts as begun again.", ge=0, lt=1)
    ] = 0.05
    alive: Annotated[Seconds, setting("A session silent for longer yields to one that started earlier.")] = Seconds(120)
    shortest: Annotated[Seconds, setting("Shorter titles always begin at their beginning.")] = Seconds(30)


class LimitSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How large anything that strangers send may make us grow. The oldest goes first."""

    sessions: Annotated[int, setting("Sessions kept, and decisions remembered.", ge=1)] = 500_000
    positions: Annotated[int, setting("Positions kept, one per profile and title.", ge=1)] = 5_000_000
    event_sessions: Annotated[int, setting("Sessions whose events are kept in memory.", ge=1)] = 2_000
    events_each: Annotated[int, setting("Events kept of one session.", ge=1)] = 200
    pathways: Annotated[int, setting("Pathways a manifest lists at most, the origin included.", ge=2, le=32)] = 5
    writes_waiting: Annotated[int, setting("Writes that may wait for the disk; more are refused.", ge=1)] = 10_000


class ControlSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The control plane."""

    listen: Annotated[Listen, setting("Where players and services reach us.")] = Listen(port=8201)
    url: Annotated[
        Url | None, setting("Our base URL as players see it; written into sessions. null: from `listen`.")
    ] = None
    origin_url: Annotated[Url, setting("The origin: the catalog's source, and the last pathway of every manifest.")] = (
        "http://127.0.0.1:8200"
    )
    steering_url: Annotated[Url, setting("Steering, as we and players reach it.")] = "http://127.0.0.1:8202"
    database: Annotated[Path, setting("The SQLite file; its directory must exist. One process, one file.")]
    players: Annotated[
        Path | None, setting("Directory in which npm installed the page's players; null: the page has none.")
    ] = None
    catalog_poll: Annotated[Seconds, setting("Pause between looks at the origin's catalog.")] = Seconds(5)
    refused_again: Annotated[Seconds, setting("When a title that was refused is looked at again.")] = Seconds(300)
    steering_timeout: Annotated[
        Seconds, setting("How long the start of playback waits for steering before it does without.")
    ] = Seconds(0.5)
    session_ttl: Annotated[Seconds, setting("How long a session and its manifests live.")] = Seconds(86400)
    sweep: Annotated[Seconds, setting("Pause between removals of what has expired.")] = Seconds(60)
    resume: Annotated[ResumeSettings, setting("Where a viewer resumes.")] = ResumeSettings()
    limits: Annotated[LimitSettings, setting("How large anything may grow.")] = LimitSettings()
    drain_limit: Annotated[Seconds, setting("How long requests in flight may take to finish at the end.")] = Seconds(10)
    log_level: Annotated[Literal["debug", "info", "warning", "error"], setting("Least level that is logged.")] = "info"


def load(path: Path) -> ControlSettings:
    """The settings in the file at `path`, checked as a whole. Raises ConfigError."""
    settings = kit.load(path, ControlSettings)
    if settings.url is None and settings.listen.host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        raise ConfigError(f"{path}: url: is needed when listening on {settings.listen.host}; players cannot go there")
    for key in ("catalog_poll", "steering_timeout", "session_ttl", "sweep"):
        if getattr(settings, key) <= 0:
            raise ConfigError(f"{path}: {key}: must be more than 0")
    if settings.resume.restarted >= settings.resume.completed:
        raise ConfigError(f"{path}: resume: restarted must be less than completed")
    return settings
