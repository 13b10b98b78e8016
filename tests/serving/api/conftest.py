"""One server for all tests that need nothing special of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from live_server import Server, serving


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without keys; its largest request has a mebibyte."""
    state = tmp_path_factory.mktemp("live") / "state"
    with serving(state, "--max-body", "1", "-v") as server:
        yield server
