"""Addresses to listen on, with errors in words. Apart from `http`, for processes that need no HTTP to listen."""

from __future__ import annotations

import errno
import socket

from control.kit.errors import AddressError


def bound_socket(host: str, port: int, *, what: str, reuse_port: bool = False) -> socket.socket:
    """A listening-ready socket on `host:port` (0: any free port).

    Raises AddressError in words: the port is taken, the address is not this machine's, no permission.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise AddressError(f"{what}: cannot listen on {host}:{port}: {address_words(error)}") from error
    sock.setblocking(False)
    return sock


def address_words(error: OSError) -> str:
    """Why an address cannot be listened on, and what would be right."""
    words = {
        errno.EADDRINUSE: "the port is in use by another process; stop that one or choose another port",
        errno.EADDRNOTAVAIL: "this machine has no such address; 127.0.0.1 or 0.0.0.0 always work",
        errno.EACCES: "no permission; ports below 1024 need root or CAP_NET_BIND_SERVICE",
    }
    return words.get(error.errno or 0, error.strerror or str(error))
