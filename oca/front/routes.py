"""Which request goes where. The segment path is the only one that leads to files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oca.front import reply
from oca.front.access.verify import Denied
from oca.front.connection import Connection
from oca.front.request import Request
from oca.front.table import key_of
from oca.front.tls_connection import TlsConnection

if TYPE_CHECKING:
    from oca.front.worker import Worker

LOOP_FIELD = b"cdn-loop"


def route(worker: Worker, connection: Connection, request: Request) -> None:
    """Start the answer to `request`, or leave `connection` waiting for the keeper."""
    if worker.redirect_port is not None and not isinstance(connection, TlsConnection):
        _to_https(worker, connection, request, worker.redirect_port)
    elif request.method == b"OPTIONS":
        connection.respond(
            204, reply.with_connection(reply.preflight(worker.seconds), keep_alive=connection.keep_alive)
        )
    elif request.method not in {b"GET", b"HEAD"}:
        connection.refuse(request, 405, "segments are read only", extra=b"Allow: GET, HEAD, OPTIONS\r\n")
    elif request.path == b"/healthz":
        _health(worker, connection, request)
    else:
        _segment(worker, connection, request)


def _to_https(worker: Worker, connection: Connection, request: Request, port: int) -> None:
    """Send the client to the same path over TLS (308 keeps the method, RFC 9110, 15.4.9)."""
    host = request.headers.get(b"host", b"").rpartition(b":")[0] or request.headers.get(b"host", b"")
    authority = host if port == 443 else b"%b:%d" % (host, port)
    query = b"?" + request.query if request.query else b""
    location = b"Location: https://" + authority + request.path + query + b"\r\n"
    connection.refuse(request, 308, "this appliance serves over HTTPS", extra=location)


def _health(worker: Worker, connection: Connection, request: Request) -> None:
    """Tell steering's probes whether players may be sent here."""
    if worker.draining:
        connection.refuse(request, 503, "draining")
        return
    head_only = request.method == b"HEAD"
    response = reply.plain(worker.seconds, 200, b'{"status":"ok"}', b"application/json", head_only=head_only)
    connection.respond(
        200, reply.with_connection(response, keep_alive=False) if not connection.keep_alive else response
    )


def _segment(worker: Worker, connection: Connection, request: Request) -> None:
    allowed = worker.manners.check(connection, request.path, request.query, request.headers, request.method)
    if isinstance(allowed, Denied):
        connection.refuse(request, allowed.status, allowed.detail, kind=allowed.kind)
        return
    request.path, request.query = allowed.path, allowed.query
    key = key_of(request.path)
    if key is None:
        connection.refuse(request, 404, "segments are at /s/<title>/<rendition>/<object>")
        return
    connection.fields = allowed.fields + worker.manners.listen(worker, connection, request)
    entry = worker.table.look_up(request.path, key)
    if entry is not None:
        connection.serve(request, entry)
        return
    worker.counters.misses += 1
    via = loop_names(request.headers.get(LOOP_FIELD, b""))
    if worker.appliance in via:
        connection.refuse(request, 508, f"this request has been at {worker.appliance} before (CDN-Loop)")
        return
    worker.misses.want(key, connection, request, via)


def loop_names(field: bytes) -> tuple[str, ...]:
    """The CDNs a request has passed (RFC 8586), parameters dropped.

    >>> loop_names(b"north-1, south-1; v=1")
    ('north-1', 'south-1')
    """
    names = (part.partition(b";")[0].strip() for part in field.split(b","))
    return tuple(name.decode("latin-1") for name in names if name)[:32]
