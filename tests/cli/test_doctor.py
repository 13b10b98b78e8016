"""`authentiscan doctor` on this installation, and on broken bundles."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
import tomllib
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
doctor_room = importlib.import_module("authentiscan.cli.doctor")
COMMAND = str(Path(sys.executable).with_name("authentiscan"))


def doctor(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, "doctor", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_sound_installation(tiny_bundle: Path) -> None:
    result = doctor("--model", tiny_bundle)
    assert result.returncode == 0, result.stdout
    for word in ("python", "onnxruntime", "detector score", "everything needed works"):
        assert word in result.stdout


def test_json(tiny_bundle: Path) -> None:
    report = json.loads(doctor("--model", tiny_bundle, "--json").stdout)
    assert report["ok"] is True
    checks = {check["name"]: check for check in report["checks"]}
    assert checks["numpy"]["state"] == "ok"
    assert checks["detector files"]["state"] == "ok"
    assert {"extra data", "extra train", "extra heif", "extra fast", "threads"} <= set(checks)
    assert all(check["state"] in ("ok", "absent") for check in checks.values())


def test_a_changed_file_of_the_detector_is_broken(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(tiny_bundle, bundle)
    with (bundle / "model.onnx").open("ab") as file:
        file.write(b"x")
    result = doctor("--model", bundle, "--json")
    assert result.returncode == 1
    (broken,) = [c for c in json.loads(result.stdout)["checks"] if c["state"] == "broken"]
    assert broken["name"] == "detector files"
    assert "SHA-256" in broken["detail"]


def test_no_bundle_is_broken() -> None:
    result = doctor("--model", "/nowhere")
    assert result.returncode == 1
    assert "broken: detector files" in result.stdout


def test_missing_extras_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_room, "_version", lambda name: None)
    checks = doctor_room.extras()
    assert {check.state for check in checks} == {"absent"}
    assert all("pip install 'authentiscan[" in check.detail for check in checks)


@pytest.fixture
def stated(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Metadata as an installation of this checkout has them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    own = Message()
    for line in project["dependencies"]:
        own["Requires-Dist"] = line
    for extra, lines in project["optional-dependencies"].items():
        own["Provides-Extra"] = extra
        for line in lines:
            own["Requires-Dist"] = f'{line} ; extra == "{extra}"'
    monkeypatch.setattr("importlib.metadata.metadata", lambda name: own)
    return project["optional-dependencies"]


EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


@pytest.mark.parametrize("extra", [name for name, asked in EXTRAS.items() if asked])
def test_every_extra_is_checked_by_what_it_asks_for(
    stated: dict[str, list[str]], extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = doctor_room.requirements(extra)
    assert needed
    assert "authentiscan" not in needed, "our own extras are followed"
    monkeypatch.setattr(doctor_room, "_version", lambda name: "1.0")
    (found,) = [c for c in doctor_room.extras() if c.name == f"extra {extra}"]
    assert found.state == "ok"
    for missing in needed:
        monkeypatch.setattr(
            doctor_room, "_version", lambda name, m=missing: "1" if name != m else None
        )
        (found,) = [c for c in doctor_room.extras() if c.name == f"extra {extra}"]
        assert found.state == "absent"
        assert f"missing: {missing})" in found.detail


def test_every_extra_of_users_says_what_it_unlocks(stated: dict[str, list[str]]) -> None:
    asked = {name for name, lines in stated.items() if lines}
    assert set(doctor_room._UNLOCKS) == asked


def test_extras_follow_each_other(stated: dict[str, list[str]]) -> None:
    assert set(doctor_room.requirements("export")) < set(doctor_room.requirements("train"))
    assert "jinja2" in doctor_room.requirements()
    assert "sd-parsers" not in doctor_room.requirements("provenance")
    assert "torchmetrics" not in doctor_room.requirements("train")
    assert "threadpoolctl" in doctor_room.requirements("data")


def test_a_library_that_does_not_import_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    states = {check.name: check.state for check in doctor_room.environment()}
    assert states["onnxruntime"] == "broken"
    assert states["numpy"] == "ok"
