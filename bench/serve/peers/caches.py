"""The peers that are caches: Varnish with its storage in memory, Traffic Server with its RAM cache.

Both fetch once from a static server, which is not measured, and then serve their own copies. Nothing of
theirs is cold in the sense of the other servers, whose files are evicted from the page cache.
"""

from __future__ import annotations

from bench.serve.peers.peer import Peer, Place, Plan, which, write

VARNISH_STORAGE = "malloc,2G"
VARNISH_THREADS = 2000
"""Varnish gives every connection that is being answered a thread."""

TRAFFIC_SERVER_FILES = (
    "records.config",
    "remap.config",
    "ssl_multicert.config",
    "storage.config",
    "logging.yaml",
    "ip_allow.yaml",
)


def _varnish(place: Place) -> Plan:
    vcl = write(place, "varnish.vcl")
    workdir = place.directory / "workdir"
    parameters = {
        "thread_pools": "1",
        "thread_pool_min": "100",
        "thread_pool_max": str(VARNISH_THREADS),
        "timeout_idle": "3600",
        "listen_depth": "4096",
    }
    server = [_program("varnishd"), "-F", "-n", str(workdir), "-a", f"127.0.0.1:{place.http_port}", "-f", str(vcl)]
    server += ["-s", VARNISH_STORAGE, "-T", "none", "-j", "none"]
    for name, value in parameters.items():
        server += ["-p", f"{name}={value}"]
    log = (_program("varnishncsa"), "-n", str(workdir), "-w", str(place.directory / "access.log"), "-t", "30")
    return Plan(tuple(server), (log,))


def _trafficserver(place: Place) -> Plan:
    config = place.directory / "config"
    for directory in (config, place.directory / "cache", place.directory / "log", place.directory / "run"):
        directory.mkdir()
    for name in TRAFFIC_SERVER_FILES:
        write(place, name, to=config / name)
    (config / "plugin.config").touch()
    runroot = place.directory / "runroot.yaml"
    runroot.write_text(
        f"prefix: {place.directory}\nexec_prefix: {place.directory}\nsysconfdir: {config}\n"
        f"localstatedir: {place.directory}\nruntimedir: {place.directory / 'run'}\nlogdir: {place.directory / 'log'}\n"
        f"cachedir: {place.directory / 'cache'}\nbindir: /usr/bin\nsbindir: /usr/sbin\n"
    )
    return Plan((_program("traffic_server"), f"--run-root={runroot}"))


def _program(name: str) -> str:
    path = which(name)
    assert path is not None, "a peer that is not installed is not prepared"
    return path


VARNISH = Peer(
    "varnish",
    ("varnishd", "varnishncsa"),
    _varnish,
    schemes=("http",),
    states=("hot",),
    caches=True,
    why_not="it has no TLS, and its malloc storage is never cold",
)
TRAFFIC_SERVER = Peer(
    "trafficserver",
    ("traffic_server",),
    _trafficserver,
    states=("hot",),
    caches=True,
    why_not="what is in its RAM cache is never cold",
)
