import dataclasses
import datetime
import os
import re
import subprocess
from pathlib import Path

import pytest

from bench.serve import certificate, peers
from bench.serve.cells import SCHEMES, STATES
from bench.serve.fleet import free_ports
from bench.serve.peers.peer import DESCRIPTORS_BESIDE, Place, render
from bench.serve.peers.registry import OURS, PEERS

CONFIGURATIONS = sorted(
    path for path in Path(peers.__path__[0]).iterdir() if path.suffix in {".conf", ".config", ".vcl", ".yaml"}
)


@pytest.fixture
def where(tmp_path):
    chain, key = certificate.make(tmp_path, now=datetime.datetime.now(datetime.UTC))
    directory = tmp_path / "peer"
    directory.mkdir()
    http_port, https_port, admin_port, backend_port = free_ports(4)
    return Place(
        directory=directory,
        disk=tmp_path / "disk",
        chain=chain,
        key=key,
        http_port=http_port,
        https_port=https_port,
        admin_port=admin_port,
        backend_port=backend_port,
        descriptors=DESCRIPTORS_BESIDE + 1000,
        root=os.geteuid() == 0,
    )


@pytest.mark.parametrize("name", PEERS)
def test_every_peer_that_is_installed_writes_a_whole_configuration(name, where):
    peer = PEERS[name]
    if peer.missing() is not None:
        pytest.skip(f"{peer.missing()} is not installed")
    plan = peer.prepare(where)
    assert Path(plan.server[0]).is_absolute()
    written = [path for path in where.directory.rglob("*") if path.is_file()]
    assert not any(re.search("@[A-Z_]+@", path.read_text()) for path in written), written
    assert peer.version() != "unknown"


def test_every_configuration_file_says_nothing_that_the_place_does_not_know(where):
    extra = {"RUN_DIRECTORY": "r", "USER": "", "AIO": ""}
    for path in CONFIGURATIONS:
        assert render(path.read_text(), where.words() | extra)


def test_every_configuration_logs_access():
    text = {path.name: path.read_text() for path in CONFIGURATIONS}
    assert "access_log" in text["nginx.conf"]
    assert "access_log" in text["appliance.yaml"]
    assert "logging_enabled INT 3" in text["records.config"]


def test_nginx_accepts_its_configuration(where):
    peer = PEERS["nginx"]
    if peer.missing() is not None:
        pytest.skip("nginx is not installed")
    plan = peer.prepare(where)
    done = subprocess.run([*plan.server, "-t"], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr


def test_our_own_configuration_is_accepted(where):
    plan = PEERS[OURS].prepare(where)
    done = subprocess.run([*plan.server, "--check"], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


def test_a_place_with_a_long_name_leaves_room_for_our_socket_elsewhere(where):
    deep = where.directory / ("x" * 90)
    deep.mkdir()
    plan = PEERS[OURS].prepare(dataclasses.replace(where, directory=deep))
    (run_directory,) = plan.elsewhere
    try:
        done = subprocess.run([*plan.server, "--check"], capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
    finally:
        run_directory.rmdir()


def test_a_peer_that_is_left_out_of_something_says_why():
    for peer in PEERS.values():
        whole = peer.schemes == SCHEMES and peer.states == STATES
        assert bool(peer.why_not) is not whole, peer.name


def test_ours_comes_first():
    assert next(iter(PEERS)) == OURS
