"""The page listens on this machine, reports nothing, and says what is missing."""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path

import pytest

from authentiscan.core.errors import BundleNotFoundError, MissingExtraError, UsageError
from authentiscan.serving.app import launch, settings
from authentiscan.serving.app.settings import Detectors, Settings


def test_a_port_that_is_taken_is_told_and_the_next_free_one_is_found() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        with pytest.raises(UsageError, match=rf"port {number}: .*; name others: --host, --port"):
            launch.free_port("127.0.0.1", number)
    assert launch.free_port("127.0.0.1", number) == number
    assert launch.free_port("127.0.0.1", 0) > 0
    assert launch.free_port("127.0.0.1", None) >= launch.FIRST_PORT


def test_an_address_of_another_machine_is_told() -> None:
    with pytest.raises(UsageError, match=r"cannot listen at 203\.0\.113\.7"):
        launch.free_port("203.0.113.7", 0)


def test_streamlit_reports_nothing_and_takes_no_more_than_the_limit() -> None:
    given = launch.options("127.0.0.1", 9000, 32 * 2**20, open_browser=False)
    assert given["browser.gatherUsageStats"] is False
    assert given["client.showErrorLinks"] is False
    assert given["server.address"] == "127.0.0.1"
    assert given["server.maxUploadSize"] == 32
    assert given["server.headless"] is True
    assert "localhost" in given["server.allowedHosts"]  # type: ignore[operator]
    assert launch.options("0.0.0.0", 9000, 2**20, open_browser=True)["server.allowedHosts"] == []


def test_streamlit_knows_every_option_that_it_is_given() -> None:
    config = pytest.importorskip("streamlit.config")
    given = launch.options("127.0.0.1", 9000, 2**20, open_browser=False)
    assert set(given) <= set(config.get_config_options())


def test_without_streamlit_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"authentiscan\[app\]"):
        launch.require()


def test_only_detectors_that_are_offered_can_be_had(tiny_bundle: Path) -> None:
    offered = Detectors([str(tiny_bundle), "nowhere", str(tiny_bundle)])
    assert offered.names == ("tiny-bundle", "nowhere")
    found = offered.get("tiny-bundle")
    assert offered.get("tiny-bundle") is found
    with pytest.raises(BundleNotFoundError):
        offered.get("nowhere")
    for name in ("/etc", str(tiny_bundle)):
        with pytest.raises(UsageError, match=r"no detector '/.*'; offered are tiny-bundle"):
            offered.get(name)


def test_names_tell_no_place_and_are_different() -> None:
    paths = [
        "default",
        "runs/a",
        "/home/me/runs/a/bundle",
        "b/bundle/detector.json",
        "./default",
        "a",
    ]
    assert Detectors(paths).names == ("default", "a", "a (2)", "b", "default (2)", "a (3)")


def test_settings_hold_for_the_whole_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "_current", [Settings()])
    chosen = Settings(workers=3, local=False)
    settings.use(chosen)
    assert settings.current() is chosen
