"""`authentiscan models list` and `models info`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from authentiscan import models
from authentiscan.cli import app
from authentiscan.core.errors import BundleIntegrityError, BundleNotFoundError, UsageError
from authentiscan.inference import NetworkSpec, default_bundle, read_spec


def invoke(*arguments: object) -> str:
    result = CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "160"})
    if result.exception is not None:
        raise result.exception
    return result.output


def test_list_names_every_architecture():
    found = {row["name"]: row for row in json.loads(invoke("models", "list", "--json"))}
    assert set(found) == set(models.names())
    assert 1e6 < found["residual"]["parameters"] < 2e6


def test_list_as_a_table():
    text = invoke("models", "list")
    assert all(name in text for name in models.names())


def test_info_tells_what_matters(tiny_bundle: Path):
    text = invoke("models", "info", tiny_bundle, "--all")
    spec = read_spec(tiny_bundle)
    for part in ("tiny", "residual", "6,033", "64 x 64", "half", "0.5000", "Of no use outside"):
        assert part in text
    assert all(digest[:16] in text for digest in spec.files.values())


def test_info_is_one_screen_with_the_limits_first():
    text = invoke("models", "info")
    narrow = CliRunner().invoke(app, ["models", "info"], env={"COLUMNS": "100", "FORCE_COLOR": "1"})
    assert len(narrow.output.splitlines()) <= 40, "one screen"
    lines = text.splitlines()
    spec = read_spec(default_bundle())
    assert lines[1].startswith(f"- {spec.limits[0][:40]}")
    told = [spec.limits[-1][:40], spec.summary[:40], "\nverdict "]
    assert sorted(told, key=text.index) == told
    assert "roc auc" in text
    assert "\n threshold " not in text
    assert "\n threshold " in invoke("models", "info", "--all")
    assert "--all" in text
    assert len(invoke("models", "info", "--all").splitlines()) > len(lines)


def test_info_takes_any_name_of_a_detector(tiny_bundle: Path, tmp_path, monkeypatch):
    shutil.copytree(tiny_bundle, tmp_path / "runs" / "mine" / "bundle")
    monkeypatch.chdir(tmp_path)
    shown = {invoke("models", "info", name, "--json") for name in ("mine", "runs/mine")}
    assert shown == {invoke("models", "info", tiny_bundle, "--json")}


def test_info_as_json_and_card(tiny_bundle: Path):
    spec = NetworkSpec.model_validate_json(invoke("models", "info", tiny_bundle, "--json"))
    assert spec == read_spec(tiny_bundle)
    card = invoke("models", "info", tiny_bundle, "--card")
    assert card == (tiny_bundle / "README.md").read_text()
    with pytest.raises(UsageError, match="exclude"):
        invoke("models", "info", tiny_bundle, "--json", "--card")


def test_info_shows_nested_metrics_with_intervals(tiny_bundle: Path, tmp_path):
    from authentiscan.inference.update import update_spec

    folder = tmp_path / "bundle"
    shutil.copytree(tiny_bundle, folder)
    metrics = {
        "val": {"auc": 0.9, "auc_interval": [0.85, 0.95], "per_generator": {"[sd]": {"n": 3}}}
    }
    update_spec(folder, metrics=metrics)
    text = invoke("models", "info", folder, "--all")
    assert "val: auc 0.900 (0.850 to 0.950)" in text
    assert "val / per_generator / [sd]: n 3" in text


def test_info_refuses_what_is_no_bundle(tiny_bundle: Path, tmp_path):
    with pytest.raises(BundleNotFoundError):
        invoke("models", "info", tmp_path)
    folder = tmp_path / "bundle"
    shutil.copytree(tiny_bundle, folder)
    (folder / "weights.safetensors").write_bytes(b"")
    with pytest.raises(BundleIntegrityError):
        invoke("models", "info", folder)


def test_the_list_needs_no_torch() -> None:
    code = (
        "import sys; from authentiscan.cli import main\n"
        "sys.argv = ['authentiscan', 'models', 'list']\n"
        "try: main()\n"
        "finally: print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "efficientnet_b0" in done.stdout
    assert done.stdout.split()[-1] == "False"
