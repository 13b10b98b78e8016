"""`authentiscan serve` refuses options that could never work, before it listens."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from authentiscan.cli import app
from authentiscan.core.errors import UsageError


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--label-studio", "ftp://x"], "begins with http:// or https://"),
        (["--label-studio", "label.example.org"], "begins with http:// or https://"),
        (["--webhook-host", "http://x/y"], "a host without port or path is wanted"),
        (["--webhook-host", "example.org:8080"], "a host without port or path is wanted"),
        (["--webhook-host", "::1", "--webhook-host", ""], "a host without port or path"),
    ],
)
def test_addresses_that_could_never_match_are_refused(options: list[str], told: str) -> None:
    ran = CliRunner().invoke(app, ["serve", "--port", "0", *options])
    assert isinstance(ran.exception, UsageError)
    assert told in str(ran.exception)
