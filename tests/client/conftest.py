"""A server for the clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from authentiscan.serving.api.database import Database
from authentiscan.serving.api.keys import Keys
from live_server import Server, serving


@pytest.fixture(scope="session")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A server that wants a key, and one."""
    state = tmp_path_factory.mktemp("keyed") / "state"
    with Database(state) as database:
        key = Keys(database).add("client")
    with serving(state, "--keys", "on") as server:
        yield server, key
