"""The servers that send files from a directory: ours, nginx, and aiohttp on uvloop."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.serve.peers.peer import Peer, Place, Plan, which, write

SOCKET_ROOM = 90
"""An appliance's run directory with a longer path leaves no room for its Unix socket (unix(7))."""


def _oca(place: Place) -> Plan:
    run_directory = place.directory / "run"
    elsewhere: tuple[Path, ...] = ()
    if len(bytes(run_directory)) > SOCKET_ROOM:
        run_directory = Path(tempfile.mkdtemp(prefix="oca-run-", dir="/tmp"))
        elsewhere = (run_directory,)
    config = write(place, "appliance.yaml", {"RUN_DIRECTORY": str(run_directory)})
    return Plan((sys.executable, "-m", "oca", "serve", "--config", str(config)), elsewhere=elsewhere)


def _nginx(aio: str) -> Callable[[Place], Plan]:
    def prepare(place: Place) -> Plan:
        words = {"USER": "user root;" if place.root else "", "AIO": aio}
        config = write(place, "nginx.conf", words)
        error_log = str(place.directory / "error.log")
        program = which("nginx")
        assert program is not None, "a peer that is not installed is not prepared"
        return Plan((program, "-p", str(place.directory), "-e", error_log, "-c", str(config)))

    return prepare


def _aiohttp(place: Place) -> Plan:
    words = place.words()
    return Plan(
        (
            *static_server(words["SEGMENTS"], place.http_port),
            *(words["HTTPS_PORT"], words["CHAIN"], words["KEY"]),
            str(place.directory / "access.log"),
        )
    )


def static_server(segments: str, http_port: int) -> tuple[str, ...]:
    """The command of the static server, also for those that need something behind them."""
    return (sys.executable, "-m", "bench.serve.peers.static_server", segments, str(http_port))


OCA = Peer("oca", (), _oca, package="open-connect-appliance")
NGINX = Peer("nginx", ("nginx",), _nginx(""))
NGINX_THREADS = Peer(
    "nginx-threads",
    ("nginx",),
    _nginx("aio threads;"),
    states=("cold", "cold20"),
    why_not="threads only cost where every object is in memory",
)
AIOHTTP = Peer("aiohttp", (), _aiohttp, package="aiohttp")
