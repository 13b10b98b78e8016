"""`authentiscan doctor` on this installation, and on broken bundles."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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
    doctor_module = importlib.import_module("authentiscan.cli.doctor")
    monkeypatch.setattr(doctor_module, "_version", lambda name: None)
    checks = doctor_module.extras()
    assert {check.state for check in checks} == {"absent"}
    assert all("pip install 'authentiscan[" in check.detail for check in checks)


def test_a_library_that_does_not_import_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    doctor_module = importlib.import_module("authentiscan.cli.doctor")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    states = {check.name: check.state for check in doctor_module.environment()}
    assert states["onnxruntime"] == "broken"
    assert states["numpy"] == "ok"
