"""`oca serve` as its operator meets it: real processes, real signals."""

import functools
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

WAIT_S = 60.0
KEY = "title/v720-1/00001.m4s"


class Appliance:
    """A real `oca serve` with no origin: it serves what lies on its disk."""

    def __init__(self, directory):
        self.directory = directory
        self.port, self.admin = free_port(), free_port()
        self.config = directory / "a.yaml"
        self.log = directory / "log"
        self.process = None
        self.write()

    def write(self, **changes):
        settings = {
            "appliance": "n1",
            "url": f"http://127.0.0.1:{self.port}",
            "listen": {"host": "127.0.0.1", "port": self.port},
            "admin": {"host": "127.0.0.1", "port": self.admin},
            "run_dir": str(self.directory / "run"),
            "workers": 2,
            "disks": [{"id": "d1", "path": str(self.directory / "d1")}],
            "origin": {"name": "origin", "url": "http://127.0.0.1:9"},
        }
        self.config.write_text(json.dumps(settings | changes))

    def start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "oca", "serve", "--config", str(self.config)],
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        return self

    def ready(self):
        self.until((self.directory / "run" / "serve.pid").exists, "started")
        self.until(lambda: self.status("/healthz") == 200, "ready")
        return self

    def status(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def processes(self):
        """(name, pid) of the supervisor's children."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        found = []
        for pid in path.read_text().split():
            try:
                words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            except FileNotFoundError:
                continue
            if "oca.keeper" in words:
                found.append(("keeper", int(pid)))
            elif "oca.front" in words:
                found.append((f"front-{words[words.index('oca.front') + 2]}", int(pid)))
        return found

    def children(self):
        """Name → pid of the supervisor's children."""
        return dict(self.processes())

    def until(self, condition, what):
        deadline = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < deadline, f"never {what}:\n{self.log.read_text()[-3000:]}"
            time.sleep(0.02)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.fixture
def appliance(tmp_path):
    made = Appliance(tmp_path)
    yield made
    made.stop()


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_processes_that_die_are_started_again_and_the_others_serve_on(appliance):
    appliance.start().ready()
    before = appliance.children()
    assert sorted(before) == ["front-0", "front-1", "keeper"]
    os.kill(before["front-0"], signal.SIGKILL)
    appliance.until(lambda: appliance.children().get("front-0", before["front-0"]) != before["front-0"], "restarted")
    os.kill(before["keeper"], signal.SIGKILL)
    assert appliance.status("/healthz") == 200
    appliance.until(lambda: appliance.children().get("keeper", before["keeper"]) != before["keeper"], "restarted")
    assert '"event": "child_died"' in appliance.log.read_text()


def test_no_process_outlives_a_supervisor_that_was_killed(appliance):
    appliance.start().ready()
    pids = appliance.children().values()
    appliance.process.kill()
    appliance.process.wait()
    appliance.until(lambda: not any(alive(pid) for pid in pids), "gone")


def test_sigterm_finishes_the_response_in_flight_and_exits_0(appliance):
    segment = appliance.directory / "d1" / "segments" / KEY
    appliance.start().ready()
    segment.parent.mkdir(parents=True)
    segment.write_bytes(os.urandom(5_000_000))
    with socket.create_connection(("127.0.0.1", appliance.port)) as client:
        client.settimeout(WAIT_S)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        client.sendall(f"GET /s/{KEY} HTTP/1.1\r\nHost: t\r\n\r\n".encode())
        received = len(client.recv(4096))
        appliance.process.send_signal(signal.SIGTERM)
        appliance.until(lambda: appliance.status("/healthz") == 0, "closed to new connections")
        while received < 5_000_000:
            more = client.recv(262144)
            assert more, f"cut after {received} bytes"
            received += len(more)
    assert appliance.process.wait(WAIT_S) == 0


def test_a_taken_port_is_one_line_and_exit_status_4(appliance):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", appliance.port))
        taken.listen()
        assert appliance.start().process.wait(WAIT_S) == 4
    assert f"cannot listen on 127.0.0.1:{appliance.port}: the port is in use" in appliance.log.read_text()
    assert "Traceback" not in appliance.log.read_text()


def test_a_broken_configuration_is_one_line_and_exit_status_3(appliance):
    appliance.write(workers="many")
    assert appliance.start().process.wait(WAIT_S) == 3
    lines = appliance.log.read_text().splitlines()
    assert len(lines) == 1
    assert "a.yaml:1: workers: Expected `int`, got `str`" in lines[0]


def test_a_disk_that_cannot_be_used_is_said_and_exit_status_5(appliance):
    (appliance.directory / "file").write_text("")
    appliance.write(disks=[{"id": "d1", "path": str(appliance.directory / "file")}])
    assert appliance.start().process.wait(WAIT_S) == 5
    assert "Traceback" not in appliance.log.read_text()


def replaced(appliance, old):
    now = set(appliance.processes())
    return len(now) == 3 and not now & old


def test_a_new_generation_takes_over_under_load_without_a_failed_request(appliance):
    appliance.start().ready()
    segment = appliance.directory / "d1" / "segments" / KEY
    segment.parent.mkdir(parents=True)
    segment.write_bytes(b"x" * 100_000)
    before = appliance.children()
    stop, failures, answered = threading.Event(), [], []

    def ask():
        connection = http.client.HTTPConnection("127.0.0.1", appliance.port, timeout=WAIT_S)
        while not stop.is_set():
            try:
                connection.request("GET", f"/s/{KEY}")
                response = connection.getresponse()
                answered.append(len(response.read()))
            except (OSError, http.client.HTTPException) as error:
                failures.append(repr(error))
                connection.close()
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            old = set(appliance.processes()) - {("keeper", before["keeper"])}
            appliance.process.send_signal(signal.SIGHUP)
            appliance.until(functools.partial(replaced, appliance, old), "replaced")
    finally:
        stop.set()
        for thread in threads:
            thread.join(WAIT_S)
    assert not failures
    assert set(answered) == {100_000}
    assert appliance.children()["keeper"] == before["keeper"]


def test_a_reload_that_cannot_work_keeps_the_workers_that_run(appliance):
    appliance.start().ready()
    before = appliance.children()
    appliance.config.write_text("workers: [")
    appliance.process.send_signal(signal.SIGHUP)
    appliance.until(lambda: '"event": "reload_refused"' in appliance.log.read_text(), "refused")
    appliance.write(workers=3)
    appliance.process.send_signal(signal.SIGHUP)
    appliance.until(lambda: "a reload cannot change it" in appliance.log.read_text(), "refused")
    assert appliance.children() == before
    assert appliance.status("/healthz") == 200


def test_upgrade_says_what_it_replaced(appliance):
    command = [sys.executable, "-m", "oca", "upgrade", "--config", str(appliance.config), "--json"]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert refused.returncode == 6
    assert "is it started?" in refused.stderr
    appliance.start().ready()
    before = {pid for name, pid in appliance.processes() if name != "keeper"}
    done = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False).stdout)
    assert set(done["replaced"]) == before
    assert len(done["workers"]) == 2
    assert not set(done["workers"]) & before
