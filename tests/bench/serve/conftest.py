"""A real HTTP server of few words, and servers that misbehave."""

import contextlib
import socket
import threading

import pytest

WAIT_S = 10.0


class Scripted:
    """A server whose connections are each answered by `behave(sock)` on a thread of their own."""

    def __init__(self, behave):
        self.behave = behave
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.address = self.listener.getsockname()
        self.accepted = 0
        self._sockets = []
        self._threads = []
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.settimeout(WAIT_S)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.accepted += 1
            self._sockets.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock):
        with sock, contextlib.suppress(OSError):
            self.behave(sock)

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self._acceptor.join(WAIT_S)
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(WAIT_S)
        assert not any(thread.is_alive() for thread in self._threads)


@pytest.fixture
def scripted():
    """Starts servers; all end with the test."""
    with contextlib.ExitStack() as stack:

        def start(behave):
            server = Scripted(behave)
            stack.callback(server.close)
            return server

        yield start


def heads(sock):
    """The request heads that arrive, until the client leaves."""
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            more = sock.recv(65536)
            if not more:
                return
            data += more
        head, _, data = data.partition(b"\r\n\r\n")
        yield head


def answer(body):
    return b"HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def polite(sock):
    """Every request gets ten thousand bytes."""
    for _ in heads(sock):
        sock.sendall(answer(b"x" * 10_000))
