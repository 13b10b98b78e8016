"""The address of a server: taken by another one, or by a client that is connected to itself."""

from __future__ import annotations

import errno
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from authentiscan.core.errors import UsageError
from authentiscan.serving.api import server
from authentiscan.serving.api.settings import Settings


@pytest.fixture
def taken() -> Iterator[socket.socket]:
    """A client that asked for a server that is away, and got itself."""
    with socket.socket() as client:
        client.bind(("127.0.0.1", 0))
        client.connect(client.getsockname())
        # Reset at its end; else the system would keep the port for a minute.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        yield client


def test_a_client_connected_to_itself_is_waited_for(taken: socket.socket) -> None:
    port = taken.getsockname()[1]
    settings = Settings(port=port)
    with pytest.raises(OSError, match="in use") as refused:
        server._bound(settings)
    assert refused.value.errno == errno.EADDRINUSE
    threading.Timer(0.3, taken.close).start()
    with closing(server._listen(settings)) as listening:
        assert listening.getsockname()[1] == port


def test_one_that_does_not_go_is_told(
    taken: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_PATIENCE", 0.0)
    with pytest.raises(UsageError, match=r"cannot listen to 127\.0\.0\.1 port .* in use"):
        server._listen(Settings(port=taken.getsockname()[1]))


def test_another_server_is_told_at_once() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        settings = Settings(port=other.getsockname()[1])
        with pytest.raises(OSError, match="in use") as refused:
            server._bound(settings)
        assert not server._passes(refused.value, settings)
