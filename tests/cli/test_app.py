"""`authentiscan app`: what is wrong is told before a server starts, in one line."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from authentiscan.cli import app
from authentiscan.inference.find import known
from authentiscan.serving.app import launch


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What would be served; nothing is."""
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr(launch, "serve", lambda *a, **k: calls.append((*a, k["open_browser"])))
    return calls


def test_it_serves_the_named_detectors_on_this_machine(
    served: list[tuple[object, ...]], tiny_bundle: Path
) -> None:
    words = ["app", "-m", str(tiny_bundle), "--port", "0", "--max-upload", "7", "-w", "3"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    ((settings, host, port, opened),) = served
    assert (host, opened) == ("127.0.0.1", True)
    assert f"http://127.0.0.1:{port}" in result.stderr
    assert settings.detectors.names == ("tiny-bundle",)  # type: ignore[attr-defined]
    assert settings.limits.bytes == 7 * 2**20  # type: ignore[attr-defined]
    assert settings.workers == 3  # type: ignore[attr-defined]
    assert settings.local  # type: ignore[attr-defined]
    assert "warning" not in result.stderr


def test_an_address_that_others_can_reach_is_warned_of(
    served: list[tuple[object, ...]], tiny_bundle: Path
) -> None:
    words = ["app", "-m", str(tiny_bundle), "--host", "0.0.0.0", "--port", "0", "--no-open"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "warning: everyone who can reach 0.0.0.0 may use the page" in result.stderr
    assert not served[0][0].local  # type: ignore[attr-defined]
    assert served[0][3] is False


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-m", "nowhere"], "no detector 'nowhere'"),
        (["--trust-list", "nowhere.pem"], "nowhere.pem"),
        (["--host", "203.0.113.7"], "cannot listen at 203.0.113.7"),
    ],
)
def test_what_cannot_work_ends_with_2(
    words: list[str], told: str, served: list[tuple[object, ...]], tiny_bundle: Path
) -> None:
    given = words if "-m" in words else [*words, "-m", str(tiny_bundle)]
    error = CliRunner().invoke(app, ["app", *given]).exception
    assert getattr(error, "exit_code", None) == 2, error
    assert told in str(error)
    assert served == []


def test_a_taken_port_is_told(served: list[tuple[object, ...]], tiny_bundle: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        error = CliRunner().invoke(app, ["app", "-m", str(tiny_bundle), "--port", port]).exception
    assert getattr(error, "exit_code", None) == 2
    assert f"port {port}" in str(error)
    assert served == []


def test_runs_are_offered_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b", "a"):
        (tmp_path / "runs" / name / "bundle").mkdir(parents=True)
        (tmp_path / "runs" / name / "bundle" / "detector.json").touch()
    monkeypatch.chdir(tmp_path)
    assert known() == ["default", "a", "b"]
