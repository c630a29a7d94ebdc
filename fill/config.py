"""Settings of the fill planner. `configs/fill.yaml` shows them in use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from control.kit import settings as kit
from control.kit.errors import ConfigError
from control.kit.quantity import BitsPerSecond, Bytes, Seconds
from control.kit.settings import Listen, Settings, setting
from control.wire import Name
from control.wire.names import Url
from fill.window import WindowRule, rule_of


class Origin(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where fill masters fetch from."""

    name: Annotated[Name, setting("The origin's name in plans and reports; no appliance may be called so.")] = "origin"
    url: Annotated[Url, setting("Base URL that appliances join keys to.")] = "http://127.0.0.1:8200"


class Window(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When appliances may fetch. Equal times are the whole day; an end before the start is on the next day."""

    start: Annotated[str, setting("Local time at which fetching may begin, HH:MM in quotes.")] = "02:00"
    end: Annotated[str, setting("Local time at which it must end, HH:MM in quotes.")] = "14:00"
    timezone: Annotated[str, setting("Time zone of these times: UTC, or a name such as Europe/Berlin.")] = "UTC"
    rate: Annotated[BitsPerSecond, setting("Rate of one appliance's fetching; 0 is no limit.")] = BitsPerSecond(0)


class SiteWindow(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The window of one site, where it differs."""

    site: Annotated[Name, setting("The site, as its appliances call it.")]
    window: Annotated[Window, setting("Its window.")] = Window()


class Pin(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something to hold whatever its demand."""

    title: Annotated[Name, setting("The title.")]
    rendition: Annotated[Name | None, setting("One rendition of it; null pins all.")] = None
    cluster: Annotated[Name | None, setting("Only in this cluster; null pins everywhere.")] = None


class PlacementSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How value becomes a plan."""

    churn: Annotated[
        float, setting("Bytes a plan may displace, as a share of an appliance's capacity.", ge=0, le=1)
    ] = 0.1
    copy_discount: Annotated[
        float, setting("Worth of each further copy in a cluster, relative to the one before.", ge=0, le=1)
    ] = 0.5
    keep_bonus: Annotated[
        float, setting("By which share something new must be worth more than what is held.", ge=0, le=10)
    ] = 0.2
    protect_for: Annotated[Seconds, setting("A title held is not displaced for so long after its release.")] = Seconds(
        86_400
    )


class LimitSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How large anything that others send may make us grow."""

    appliances: Annotated[int, setting("Appliances known at once.", ge=1)] = 1000
    renditions_each: Annotated[int, setting("Renditions in one appliance's inventory.", ge=1)] = 200_000
    titles: Annotated[int, setting("Titles taken from control's catalog.", ge=1)] = 200_000
    demand_rows: Annotated[int, setting("Rows of demand kept; the oldest go first.", ge=1000)] = 20_000_000
    inventory: Annotated[Bytes, setting("Bytes of one inventory.")] = Bytes(64 * 1024 * 1024)
    message: Annotated[Bytes, setting("Bytes of any other message.")] = Bytes(16 * 1024 * 1024)


class FillSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fill planner."""

    listen: Annotated[Listen, setting("Where appliances and operators reach us.")] = Listen(port=8203)
    control_url: Annotated[Url, setting("Base URL of control, whose catalog is planned for.")] = "http://127.0.0.1:8201"
    origin: Annotated[Origin, setting("Where fill masters fetch from.")] = Origin()
    database: Annotated[
        Path, setting("File that keeps demand, plans and progress; its directory is made when missing.")
    ] = Path("run/fill.db")
    window: Annotated[Window, setting("When appliances may fetch.")] = Window()
    site_windows: Annotated[tuple[SiteWindow, ...], setting("Sites with another window.", max_length=10_000)] = ()
    plan_interval: Annotated[Seconds, setting("How often plans are made anew.")] = Seconds(900)
    settle: Annotated[
        Seconds, setting("Plans are also made when catalog or fleet changed and then stayed the same for so long.")
    ] = Seconds(2)
    catalog_interval: Annotated[Seconds, setting("How often control is asked for its catalog.")] = Seconds(30)
    control_timeout: Annotated[Seconds, setting("Time for control to answer with a page.")] = Seconds(10)
    escalation: Annotated[
        Seconds, setting("How long after the window opens all but fill masters wait before they ask the origin.")
    ] = Seconds(600)
    history: Annotated[Seconds, setting("Demand of so long ago still counts in forecasts.")] = Seconds(7 * 86_400)
    keep_demand: Annotated[Seconds, setting("Demand older than this is deleted.")] = Seconds(35 * 86_400)
    member_ttl: Annotated[Seconds, setting("An appliance silent for longer is no fill master and no source.")] = (
        Seconds(15)
    )
    inventory_grace: Annotated[
        Seconds, setting("How long the first plan of an appliance waits to hear what it holds.")
    ] = Seconds(10)
    pins: Annotated[tuple[Pin, ...], setting("What to hold whatever its demand.", max_length=100_000)] = ()
    placement: Annotated[PlacementSettings, setting("How value becomes a plan.")] = PlacementSettings()
    limits: Annotated[LimitSettings, setting("How large anything may grow.")] = LimitSettings()

    def rule(self, site: str) -> WindowRule:
        """The window's rule at `site`. Raises ValueError when its times or zone are none."""
        own = next((each.window for each in self.site_windows if each.site == site), self.window)
        return rule_of(own.start, own.end, own.timezone, own.rate)


def load(path: Path) -> FillSettings:
    """The settings in the file at `path`, checked as a whole. Raises ConfigError."""
    settings = kit.load(path, FillSettings)
    for wrong in _contradictions(settings):
        raise ConfigError(f"{path}: {wrong}")
    return settings


def _contradictions(settings: FillSettings) -> list[str]:
    wrong = []
    windows = [("window", settings.window)]
    windows += [(f"site_windows[{index}].window", each.window) for index, each in enumerate(settings.site_windows)]
    for where, window in windows:
        try:
            rule_of(window.start, window.end, window.timezone, window.rate)
        except ValueError as error:
            wrong.append(f"{where}: {error}")
    positive = ("plan_interval", "catalog_interval", "control_timeout", "history", "member_ttl")
    wrong += [f"{name}: must be more than 0" for name in positive if getattr(settings, name) <= 0]
    if settings.keep_demand < settings.history:
        wrong.append("keep_demand: must be at least `history`, or forecasts lack what they count on")
    return wrong
