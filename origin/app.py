"""The origin process: who gets which instance, and its life.

The one place where instances are made. Routes are in `routes.py`, the store in `storage/`.
"""

from __future__ import annotations

from control.kit.clock import Clock
from control.kit.http import HttpServer, bound_socket
from control.kit.logs import get_logger
from control.kit.metrics import Meter
from origin.config import OriginSettings
from origin.metrics import METRICS
from origin.routes import Routes, application
from origin.storage.directory import DirectoryStorage


class Origin:
    """One origin. It keeps nothing in memory but decoded titles; the store is the truth."""

    name = "origin"

    def __init__(self, settings: OriginSettings, *, clock: Clock) -> None:
        self.settings = settings
        self.meter = Meter(METRICS)
        self.storage = DirectoryStorage(settings.store)
        self._clock = clock
        self._server: HttpServer | None = None
        self._log = get_logger()

    def __repr__(self) -> str:
        return f"<Origin {self.url} of {self.storage!r}>"

    @property
    def port(self) -> int:
        """The port listened on."""
        return self._server.port if self._server is not None else self.settings.listen.port

    @property
    def url(self) -> str:
        """Our base URL, as configured or from the address listened on."""
        host = self.settings.listen.host
        return self.settings.url or f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    async def start(self) -> None:
        """Listen, check the store, serve. Raises AddressError or StorageError."""
        listen = self.settings.listen
        sock = bound_socket(listen.host, listen.port, what="origin")
        try:
            self.storage.check()
        except BaseException:
            sock.close()
            raise
        routes = Routes(self.storage, self.settings.limits, self.meter, self._clock)
        self._server = HttpServer(application(routes), sock, drain_s=self.settings.limits.drain)
        await self._server.start()
        self._log.info("listening", host=listen.host, port=self.port, url=self.url, store=str(self.settings.store))

    async def drain(self) -> None:
        """Take no new connections and finish the responses in flight."""
        if self._server is not None:
            server, self._server = self._server, None
            await server.stop()

    async def stop(self) -> None:
        """Close everything."""
        await self.drain()
