"""Run the application on uvicorn until a signal asks it to stop."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager

import uvicorn

from authentiscan.core.errors import UsageError
from authentiscan.core.files import reason
from authentiscan.serving.api.app import create_app
from authentiscan.serving.api.metrics import Metrics
from authentiscan.serving.api.service import running
from authentiscan.serving.api.settings import Settings

_LOG = logging.getLogger("authentiscan.server")
_KEEP_ALIVE = 30
_CONNECTIONS = 1000
_PATIENCE = 75.0
"""Seconds that a client may hold the port: the system keeps it for 60 after the client is gone."""


def serve(settings: Settings, ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; then finish what is under way, and return.

    ready: told the server's address once it answers. A second signal ends at once; images of jobs
    that are under way then are judged again at the next start.

    Raises UsageError where the address cannot be listened to, and what starting the parts raises.
    """
    with closing(_listen(settings)) as listening, running(settings, Metrics()) as service:
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        address = f"http://{host}:{listening.getsockname()[1]}"
        config = uvicorn.Config(
            create_app(service),
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=settings.stop_seconds,
            limit_concurrency=_CONNECTIONS,
        )
        server = _Server(config, lambda: ready(address))
        asyncio.run(server.serve(sockets=[listening]))
        _LOG.info("stopped")


class _Server(uvicorn.Server):
    """Takes signals for itself and, having done what they asked, ends well."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Uvicorn would raise the signals again at the end, which is for those it did not obey."""
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: object) -> None:  # noqa: ARG002 -- of the base
        """The first signal stops, the second one ends."""
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets)
        if self.started:
            self._ready()


def _listen(settings: Settings) -> socket.socket:
    """A socket at the address, which another socket may hold for a moment: see `_passes`."""
    limit, told = time.monotonic() + _PATIENCE, False
    while True:
        try:
            return _bound(settings)
        except (OSError, UnicodeError) as error:
            if time.monotonic() < limit and _passes(error, settings):
                if not told:
                    _LOG.warning("the port is held by a client, not by a server: waiting for it")
                told = True
                time.sleep(0.2)
                continue
            why = reason(error) if isinstance(error, OSError) else "no possible name"
            raise UsageError(
                f"cannot listen to {settings.host} port {settings.port}: {why}; take another "
                "--host or --port (0 takes any free one)"
            ) from error


def _bound(settings: Settings) -> socket.socket:
    family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((settings.host, settings.port))
    except BaseException:
        found.close()
        raise
    return found


def _passes(error: OSError | UnicodeError, settings: Settings) -> bool:
    """Whether the port is taken, but by no server.

    Where a server is away, the system may give a local client that asks for it this very port as
    its own end, and so connect it to itself. The client holds the port until it gives up.
    """
    if not isinstance(error, OSError) or error.errno != errno.EADDRINUSE:
        return False
    try:
        socket.create_connection((settings.host, settings.port), 1).close()
    except OSError:
        return True
    return False
