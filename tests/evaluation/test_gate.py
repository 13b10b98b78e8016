"""The gate: figures against limits, each in its own direction."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from authentiscan.cli import app
from authentiscan.core.errors import AuthentiscanError, UsageError
from authentiscan.evaluation.gate import Gate, check_protocols


@pytest.mark.parametrize(
    ("text", "gate"),
    [
        ("roc_auc=0.9", Gate("roc_auc", 0.9)),
        ("raw:tpr_at_fpr_5=.5", Gate("tpr_at_fpr_5", 0.5, "raw")),
        ("jpeg:quality=80:ece=0.1", None),
    ],
)
def test_reading(text: str, gate: Gate | None) -> None:
    if gate is None:
        with pytest.raises(UsageError):
            Gate.parse(text)
    else:
        assert Gate.parse(text) == gate


@pytest.mark.parametrize(
    ("text", "word"),
    [("roc_auc", "METRIC=VALUE"), ("roc_auc=high", "METRIC=VALUE"), ("roc_auc=90", "0 to 1"),
     ("auc=0.9", "there are roc_auc"), ("roc_auc=nan", "0 to 1")],
)  # fmt: skip
def test_mistakes_are_told(text: str, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        Gate.parse(text)


def test_a_protocol_that_is_not_measured_is_told_before_the_work() -> None:
    with pytest.raises(UsageError, match="measured are matched"):
        check_protocols([Gate.parse("raw:roc_auc=0.5")], ["matched"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, np.ndarray]) -> Path:
    root = tmp_path_factory.mktemp("images")
    for index in range(12):
        photo = photos[sorted(photos)[index % 6]]
        kind = "fake" if index % 2 else "real"
        (root / kind).mkdir(exist_ok=True)
        tile = photo[index * 5 : index * 5 + 90, index * 7 : index * 7 + 90]
        Image.fromarray(tile).save(root / kind / f"{index}.png")
    return root


@pytest.mark.parametrize(
    ("gates", "code"),
    [
        (["roc_auc=0"], 0),
        (["brier=1", "raw:accuracy=0"], 0),
        (["roc_auc=1"], 3),
        (["roc_auc=0", "brier=0"], 3),
    ],
)
def test_the_exit_code(folder: Path, tiny_bundle: Path, gates: list[str], code: int) -> None:
    asked = [word for gate in gates for word in ("--fail-under", gate)]
    done = CliRunner().invoke(
        app, ["evaluate", str(tiny_bundle), "-d", str(folder), "--bootstrap", "0", "--json", *asked]
    )
    assert done.exit_code == code, done.output
    assert ("gate not met" in done.stderr) == (code == 3)
    assert json.loads(done.stdout)["sample_sizes"]


def test_a_metric_that_is_undefined_does_not_pass(folder: Path, tiny_bundle: Path) -> None:
    line = ["evaluate", str(tiny_bundle), "-d", str(folder / "real"), "--fail-under", "roc_auc=0"]
    done = CliRunner().invoke(app, line)
    assert done.exit_code == 3 or isinstance(done.exception, AuthentiscanError)
