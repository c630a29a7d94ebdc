"""TLS contexts for the front: certificates by server name, tickets, ALPN, and what the kernel can do.

TLS 1.2 and 1.3 (RFC 8446) with OpenSSL's own choice of ciphers. Certificates are read when a worker
starts: new ones come with new workers, and a set that cannot be loaded never replaces one that can.
"""

from __future__ import annotations

import ctypes
import hashlib
import hmac
import re
import socket
import ssl
import sys
from dataclasses import dataclass
from pathlib import Path

from control.kit.errors import ConfigError

SOL_TLS = 282
TLS_TX = 1
TICKET_KEY_BYTES = 80
_SSL_CTRL_SET_TLSEXT_TICKET_KEYS = 59
_LIBSSL = re.compile(r"(/\S*libssl[^/\s]*\.so[^/\s]*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """A chain and its key, both PEM."""

    chain: Path
    key: Path


class Certificates:
    """Contexts made from files. The first certificate is for clients that name no server, or another."""

    def __init__(
        self,
        files: tuple[CertificateFiles, ...],
        *,
        ticket_secret: bytes,
        lifetime_s: float = 43_200.0,
        now: float = 0.0,
    ) -> None:
        assert files, "TLS without a certificate"
        self._files = files
        self._ticket_secret = ticket_secret
        self._lifetime_s = lifetime_s
        self._period = int(now / lifetime_s)
        self._contexts: list[ssl.SSLContext] = []
        self._by_name: dict[str, ssl.SSLContext] = {}
        self.shared_tickets = False
        self.context = self._load()

    def __repr__(self) -> str:
        return f"<Certificates for {', '.join(sorted(self._by_name))}>"

    def _load(self) -> ssl.SSLContext:
        contexts = [self._context(files) for files in self._files]
        by_name: dict[str, ssl.SSLContext] = {}
        for context, files in zip(contexts, self._files, strict=True):
            for name in names_of(files.chain):
                by_name.setdefault(name, context)
        self._by_name = by_name
        self._contexts = contexts
        contexts[0].sni_callback = self._choose
        return contexts[0]

    def _context(self, files: CertificateFiles) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
        context.options |= getattr(ssl, "OP_ENABLE_KTLS", 1 << 3)
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(files.chain, files.key)
        except (OSError, ssl.SSLError) as error:
            reason = getattr(error, "reason", None) or error.strerror or error
            raise ConfigError(f"certificate {files.chain} with key {files.key}: {reason}") from error
        self.shared_tickets = set_ticket_keys(context, self._period_secret())
        return context

    def rotate(self, now: float) -> None:
        """Change the ticket keys when a new period has begun (`now` in Unix seconds).

        All workers change at the same second, as the keys follow from the shared secret and the period.
        """
        period = int(now / self._lifetime_s)
        if period != self._period:
            self._period = period
            for context in self._contexts:
                set_ticket_keys(context, self._period_secret())

    def _period_secret(self) -> bytes:
        if not self._ticket_secret:
            return b""
        return hmac.digest(self._ticket_secret, b"oca period %d" % self._period, hashlib.sha256)

    def _choose(self, sock: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        chosen = choose(self._by_name, name)
        if chosen is not None:
            sock.context = chosen


def choose(by_name: dict[str, ssl.SSLContext], name: str | None) -> ssl.SSLContext | None:
    """The context for server name `name` (RFC 6066, 3): exact, else a wildcard of its parent, else None."""
    if name is None:
        return None
    name = name.lower().rstrip(".")
    return by_name.get(name) or by_name.get("*." + name.partition(".")[2])


def names_of(chain: Path) -> list[str]:
    """The DNS names that the first certificate in `chain` is for, lower-case. Raises ConfigError."""
    try:
        # The one way the standard library decodes a certificate without a connection.
        decoded = ssl._ssl._test_decode_cert(str(chain))  # type: ignore[attr-defined]
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"certificate {chain}: not a PEM certificate") from error
    names = [value for kind, value in decoded.get("subjectAltName", ()) if kind == "DNS"]
    if not names:
        names = [value for part in decoded.get("subject", ()) for key, value in part if key == "commonName"]
    return [name.lower() for name in names]


def ticket_keys(secret: bytes) -> bytes:
    """OpenSSL's ticket keys out of a secret of any length: name, HMAC key and AES key."""
    return b"".join(hmac.digest(secret, b"oca ticket %d" % part, hashlib.sha256) for part in range(3))[
        :TICKET_KEY_BYTES
    ]


def set_ticket_keys(context: ssl.SSLContext, secret: bytes) -> bool:
    """Give `context` ticket keys made from `secret`, so that all workers accept each other's tickets.

    The standard library does not offer this; OpenSSL's own call is used on the context's pointer. False
    where that cannot be done (another Python, OpenSSL linked into it): tickets then hold per worker.
    """
    if sys.implementation.name != "cpython" or not secret:
        return False
    try:
        found = _LIBSSL.search(Path("/proc/self/maps").read_text())
        if found is None:
            return False
        library = ctypes.CDLL(found.group(1))
    except OSError:
        return False
    library.SSL_CTX_ctrl.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_char_p)
    library.SSL_CTX_ctrl.restype = ctypes.c_long
    # PySSLContext is the object's head and then the SSL_CTX pointer, in every CPython since 3.2.
    pointer = ctypes.c_void_p.from_address(id(context) + object.__basicsize__).value
    keys = ticket_keys(secret)
    return bool(library.SSL_CTX_ctrl(pointer, _SSL_CTRL_SET_TLSEXT_TICKET_KEYS, len(keys), keys) == 1)


def kernel_encrypts(sock: socket.socket) -> bool:
    """Whether the kernel encrypts what is written to `sock`'s descriptor.

    Asked by TLS_TX, not by the name of the upper-layer protocol: that may read `tls` while OpenSSL still
    encrypts, and sendfile would then send plaintext.
    """
    try:
        return len(sock.getsockopt(SOL_TLS, TLS_TX, 4)) == 4
    except OSError:
        return False
