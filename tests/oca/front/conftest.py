"""A real worker on a real port in a thread, and a keeper that says what the test tells it to."""

import socket
import threading
import time

import pytest

from control.kit.clock import SystemClock
from oca.front.worker import Limits, Worker
from oca.link import messages as link

WAIT_S = 10.0


class KeeperEnd:
    """The keeper's end of one worker's link."""

    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(path))
        self.listener.listen(4)
        self.listener.settimeout(WAIT_S)
        self.sock = None
        self.heard = []
        self._deframer = link.Deframer()

    def accept(self, disks):
        self.sock, _ = self.listener.accept()
        self.sock.settimeout(WAIT_S)
        hello = self.hear(link.Hello)
        self.say(link.Welcome(tuple(map(str, disks))))
        return hello

    def say(self, *messages):
        self.sock.sendall(b"".join(map(link.frame, messages)))

    def hear(self, kind):
        """The next message of this kind; others are kept in `heard`."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            for position, message in enumerate(self.heard):
                if isinstance(message, kind):
                    return self.heard.pop(position)
            self.heard += self._deframer.feed(self.sock.recv(65536))
        raise AssertionError(f"the worker did not say {kind.__name__}")

    def close(self):
        if self.sock is not None:
            self.sock.close()
            self.sock = None
        self.listener.close()


class Client:
    """A blocking HTTP client that shows its bytes."""

    def __init__(self, port, receive_buffer=None):
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(WAIT_S)
        self.sock.connect(("127.0.0.1", port))
        self.data = b""

    def send(self, text):
        self.sock.sendall(text if isinstance(text, bytes) else text.encode())

    def get(self, path, *fields, method="GET"):
        self.send("\r\n".join([f"{method} {path} HTTP/1.1", "Host: t", *fields, "", ""]))
        return self.answer(head_only=method == "HEAD")

    def head(self):
        while b"\r\n\r\n" not in self.data:
            more = self.sock.recv(65536)
            if not more:
                raise EOFError(self.data)
            self.data += more
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        named = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        return int(line.split()[1]), named

    def answer(self, head_only=False):
        status, fields = self.head()
        length = 0 if head_only or status in {204, 304} else int(fields["content-length"])
        return status, fields, self.body(length)

    def body(self, length):
        while len(self.data) < length:
            more = self.sock.recv(262144)
            if not more:
                raise EOFError(f"{len(self.data)} of {length} bytes")
            self.data += more
        body, self.data = self.data[:length], self.data[length:]
        return body

    def ends(self):
        """Whether the worker closes without sending more."""
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.sock.close()


def listening():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(512)
    listener.setblocking(False)
    return listener, listener.getsockname()[1]


class Rig:
    """One worker over one disk directory."""

    def __init__(self, directory, certificates=None, redirect_port=None, manners=None, **limits):
        self.disk = directory / "d1"
        self.disk.mkdir()
        self.keeper = KeeperEnd(directory / "k.sock")
        listener, self.port = listening()
        tls_listener, self.tls_port = listening() if certificates else (None, 0)
        self.worker = Worker(
            appliance="t1",
            index=0,
            listener=listener,
            tls_listener=tls_listener,
            certificates=certificates,
            redirect_port=redirect_port,
            manners=manners,
            disks=(str(self.disk),),
            keeper_socket=str(directory / "k.sock"),
            limits=Limits(**limits),
            clock=SystemClock(),
        )
        self.clients = []
        self.thread = threading.Thread(target=self.worker.run, daemon=True)
        self.thread.start()

    def store(self, key, data):
        path = self.disk / "segments" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def client(self, tls=False, **options):
        client = Client(self.tls_port if tls else self.port, **options)
        self.clients.append(client)
        return client

    def until(self, condition, what):
        deadline = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < deadline, f"never {what}"
            time.sleep(0.01)

    def close(self):
        for client in self.clients:
            client.close()
        if self.thread.is_alive():
            self.worker.stop()
        self.thread.join(WAIT_S)
        assert not self.thread.is_alive()
        self.keeper.close()


@pytest.fixture
def make_rig(tmp_path):
    rigs = []

    def make(**limits):
        directory = tmp_path / f"r{len(rigs)}"
        directory.mkdir()
        rigs.append(Rig(directory, **limits))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.close()


@pytest.fixture
def rig(make_rig):
    return make_rig()
