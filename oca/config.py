"""The appliance's settings: one table that the keeper and the front workers both read.

What a setting means is beside it; `oca config reference appliance` prints the table as YAML. Checks that
need more than one setting are in `load`. Nothing here opens a disk or a socket.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal

from control.kit import settings as kit
from control.kit.errors import ConfigError
from control.kit.quantity import BitsPerSecond, Bytes, Seconds
from control.kit.settings import Listen, Settings, setting
from control.wire import Name
from control.wire.names import Url
from oca.front.access.settings import AccessSettings
from oca.front.pacing import PacingSettings

SOCKET_PATH_LIMIT = 107
"""Bytes a Unix socket's path may have on Linux (unix(7): sun_path is 108 with its terminator)."""


class DiskSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One disk: a directory on a file system of its own."""

    id: Annotated[Name, setting("Name of the disk; a new disk at an old path gets a new name.")]
    path: Annotated[Path, setting("Directory that is the disk; made when it is not there.")]
    tier: Annotated[Literal["memory", "nvme", "hdd"], setting("What it is made of: memory (tmpfs), nvme or hdd.")] = (
        "nvme"
    )
    capacity: Annotated[Bytes, setting("Bytes that may be used; 0 takes all of the file system.")] = Bytes(0)
    reserve: Annotated[Bytes, setting("Bytes of the capacity that plans never fill, for what viewers ask for.")] = (
        Bytes(0)
    )


class OriginSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The origin, asked when nobody nearer has an object."""

    name: Annotated[Name, setting("Name of the origin in reports.")] = "origin"
    url: Annotated[Url, setting("Base URL of the origin; objects are at <url>/s/<key>.")] = "http://127.0.0.1:8200"


class FrontSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of each front worker."""

    max_connections: Annotated[int, setting("Connections one worker keeps open.", ge=1)] = 8192
    max_connections_per_prefix: Annotated[
        int, setting("Connections one worker keeps open with clients of one /24 (IPv4) or /56 (IPv6).", ge=1)
    ] = 4096
    max_requests: Annotated[int, setting("Requests answered on one connection; the last answer closes it.", ge=1)] = (
        1_000_000
    )
    pin: Annotated[bool, setting("Keep each worker on a core of its own.")] = False
    max_open_files: Annotated[int, setting("Segment files one worker keeps open.", ge=16)] = 4096
    header_limit: Annotated[Bytes, setting("Bytes a request's line and headers may have.")] = Bytes(16 * 1024)
    header_timeout: Annotated[Seconds, setting("Time for a request's headers to arrive in full.")] = Seconds(10)
    idle_timeout: Annotated[Seconds, setting("Time a connection may be idle between requests.")] = Seconds(60)
    send_quantum: Annotated[Bytes, setting("Bytes sent to one connection before the next has its turn.")] = Bytes(
        1024 * 1024
    )
    min_send_rate: Annotated[
        BitsPerSecond, setting("A connection that takes its response slower than this is cut; 0 never cuts.")
    ] = BitsPerSecond(64_000)


class AccessLogSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The log of answers: `access-<worker>.jsonl` in a directory, a line of JSON each."""

    directory: Annotated[Path, setting("Directory of the log files; made when it is not there.")]
    sample: Annotated[
        float, setting("Share of answers 200, 206 and 304 that is logged; all others always are.", ge=0, le=1)
    ] = 1.0
    rotate: Annotated[Bytes, setting("Bytes at which a file is rotated.")] = Bytes(256 * 1024 * 1024)
    keep: Annotated[int, setting("Rotated files kept per worker.", ge=0, le=1000)] = 4


class CertificateSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One certificate; clients get it when they ask for a name it is for."""

    chain: Annotated[Path, setting("PEM file with the certificate and its chain.")]
    key: Annotated[Path, setting("PEM file with its private key.")]


class TlsSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """HTTPS beside HTTP. Certificates are read again on SIGHUP."""

    listen: Annotated[Listen, setting("Where segments are served over TLS.")] = Listen(host="127.0.0.1", port=8443)
    certificates: Annotated[
        tuple[CertificateSettings, ...],
        setting("Certificates; the first is for clients that name no server.", min_length=1, max_length=1024),
    ]
    redirect: Annotated[bool, setting("Whether plain HTTP answers 308 to the same path over HTTPS.")] = False
    ticket_lifetime: Annotated[Seconds, setting("How long session tickets are accepted; all workers share them.")] = (
        Seconds(12 * 3600)
    )


class UpstreamSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How what is missing is fetched from peers and the origin."""

    connect_timeout: Annotated[Seconds, setting("Time for a source to accept a connection.")] = Seconds(2)
    first_byte_timeout: Annotated[Seconds, setting("Time for a source to begin its answer.")] = Seconds(5)
    stall_timeout: Annotated[Seconds, setting("Time a source may send nothing in the middle of an answer.")] = Seconds(
        5
    )
    min_rate: Annotated[BitsPerSecond, setting("A source that sends slower than this is given up.")] = BitsPerSecond(
        16_000
    )
    max_per_source: Annotated[int, setting("Requests under way to one source; more wait.", ge=1)] = 32
    max_flights: Annotated[int, setting("Objects being fetched at once; a viewer's miss beyond is refused.", ge=1)] = (
        512
    )
    distrust: Annotated[Seconds, setting("How long a source is not asked again for what it sent wrong bytes of.")] = (
        Seconds(300)
    )
    backoff: Annotated[Seconds, setting("How long a source that cannot be reached is not asked.")] = Seconds(1)
    negative_ttl: Annotated[Seconds, setting("How long 'no such rendition' is remembered.")] = Seconds(5)
    negative_entries: Annotated[int, setting("How many such answers are remembered.", ge=1)] = 4096
    index_entries: Annotated[int, setting("Rendition indexes kept in memory.", ge=1)] = 2048
    index_limit: Annotated[Bytes, setting("Bytes a rendition's index may have.")] = Bytes(16 * 1024 * 1024)
    object_limit: Annotated[Bytes, setting("Bytes an object may have.")] = Bytes(4 * 1024**3)


class StoreSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How disks and books are written."""

    policy: Annotated[str, setting("Eviction policy for what no plan names.")] = "lru"
    sync_batch: Annotated[int, setting("Objects made durable together on one disk.", ge=1)] = 64
    commit_interval: Annotated[Seconds, setting("How often the books are written to their database.")] = Seconds(0.5)
    check_interval: Annotated[Seconds, setting("How often each disk is looked at.")] = Seconds(2)
    slow_after: Annotated[Seconds, setting("A disk that takes longer than this for one operation has failed.")] = (
        Seconds(10)
    )


class FillerSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the plan is carried out."""

    plan_interval: Annotated[Seconds, setting("How often the planner is asked for a new plan.")] = Seconds(10)
    report_interval: Annotated[Seconds, setting("How often progress is reported while filling.")] = Seconds(1)
    concurrency: Annotated[int, setting("Objects fetched at once for the plan.", ge=1)] = 4
    attempts: Annotated[int, setting("Tries for one object in one window.", ge=1)] = 200
    retry_delay: Annotated[Seconds, setting("Wait before the second try; doubles for each further one.")] = Seconds(1)
    retry_limit: Annotated[Seconds, setting("Longest wait between tries.")] = Seconds(60)


class ApplianceSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything `oca serve --config FILE` reads."""

    appliance: Annotated[Name, setting("Name of this appliance, unique in the fleet.")]
    site: Annotated[Name, setting("Name of the site it stands in.")] = "site"
    cluster: Annotated[Name, setting("Name of its cluster: appliances that share the load of the same clients.")] = (
        "cluster"
    )
    url: Annotated[Url, setting("Base URL that players and peers reach it by.")]
    listen: Annotated[Listen, setting("Where segments are served to players.")] = Listen(host="127.0.0.1", port=8311)
    admin: Annotated[Listen, setting("Where the operator, Prometheus and purges reach the keeper.")] = Listen(
        host="127.0.0.1", port=8411
    )
    run_dir: Annotated[Path, setting("Directory for the books, the plan and the keeper's socket.")]
    workers: Annotated[int, setting("Front workers; one per core that serves.", ge=1, le=256)] = 1
    disks: Annotated[tuple[DiskSettings, ...], setting("The disks.", min_length=1, max_length=256)]
    capacity: Annotated[BitsPerSecond, setting("Egress it is built for; steering shares load by it.")] = BitsPerSecond(
        10_000_000_000
    )
    serves: Annotated[tuple[str, ...], setting("Client prefixes it serves, as CIDR.", max_length=100_000)] = ()
    origin: Annotated[OriginSettings, setting("The origin.")] = OriginSettings()
    steering_urls: Annotated[tuple[Url, ...], setting("Base URLs of every steering service.", max_length=64)] = ()
    fill_url: Annotated[Url | None, setting("Base URL of the fill planner; null runs without plans.")] = None
    heartbeat_interval: Annotated[Seconds, setting("How often steering and fill hear from it.")] = Seconds(1)
    inventory_interval: Annotated[Seconds, setting("How often changes of what it holds are sent.")] = Seconds(2)
    demand_interval: Annotated[Seconds, setting("How often demand is sent.")] = Seconds(10)
    report_timeout: Annotated[Seconds, setting("Time for steering or fill to take a report.")] = Seconds(3)
    drain_limit: Annotated[Seconds, setting("Time for responses under way to finish when it stops.")] = Seconds(30)
    log_level: Annotated[Literal["debug", "info", "warning", "error"], setting("Least severity that is logged.")] = (
        "info"
    )
    front: Annotated[FrontSettings, setting("Limits of each front worker.")] = FrontSettings()
    access: Annotated[AccessSettings, setting("Who may have segments.")] = AccessSettings()
    pacing: Annotated[PacingSettings, setting("How fast connections are sent to.")] = PacingSettings()
    tls: Annotated[TlsSettings | None, setting("HTTPS; null serves HTTP alone.")] = None
    access_log: Annotated[AccessLogSettings | None, setting("Where every answer is logged; null logs none.")] = None
    upstream: Annotated[UpstreamSettings, setting("How what is missing is fetched.")] = UpstreamSettings()
    store: Annotated[StoreSettings, setting("How disks and books are written.")] = StoreSettings()
    filler: Annotated[FillerSettings, setting("How the plan is carried out.")] = FillerSettings()

    @property
    def keeper_socket(self) -> Path:
        """The Unix socket on which the keeper listens to its workers."""
        return self.run_dir / "keeper.sock"

    @property
    def ticket_secret(self) -> Path:
        """The secret that all workers make their session ticket keys from."""
        return self.run_dir / "tickets.key"

    @property
    def supervisor_pid(self) -> Path:
        """Where `oca serve` writes its process id."""
        return self.run_dir / "serve.pid"


def load(path: Path) -> ApplianceSettings:
    """The settings in the file at `path`, checked. Raises ConfigError."""
    return checked(kit.load(path, ApplianceSettings), name=str(path))


def checked(settings: ApplianceSettings, *, name: str) -> ApplianceSettings:
    """`settings` when they fit together. Raises ConfigError naming the first that does not."""
    for words in _misfits(settings):
        raise ConfigError(f"{name}: {words}")
    return settings


def _misfits(settings: ApplianceSettings) -> list[str]:
    found: list[str] = []
    ids = [disk.id for disk in settings.disks]
    paths = [disk.path.absolute() for disk in settings.disks]
    for index, disk in enumerate(settings.disks):
        if disk.id in ids[:index]:
            found.append(f"disks[{index}].id: {disk.id!r} is given to two disks; each needs its own")
        if any(disk.path.absolute() == other for other in paths[:index]):
            found.append(f"disks[{index}].path: {disk.path} is given to two disks; each needs its own")
        if disk.capacity and disk.reserve >= disk.capacity:
            found.append(f"disks[{index}].reserve: must be less than the capacity of {disk.capacity} bytes")
    for index, prefix in enumerate(settings.serves):
        try:
            ipaddress.ip_network(prefix)
        except ValueError as error:
            found.append(f"serves[{index}]: {error}; give a prefix such as 192.0.2.0/24 or 2001:db8::/32")
    if len(bytes(settings.keeper_socket.absolute())) > SOCKET_PATH_LIMIT:
        found.append(
            f"run_dir: {settings.keeper_socket.absolute()} is too long for a Unix socket; "
            f"choose a directory so that it has at most {SOCKET_PATH_LIMIT} bytes"
        )
    return found
