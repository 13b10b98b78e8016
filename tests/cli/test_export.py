"""`authentiscan export`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from typer.testing import CliRunner

from authentiscan.cli import app
from authentiscan.core.errors import BundleError, UsageError
from authentiscan.inference import load_detector


def invoke(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["export", *map(str, arguments)])
    if result.exception is not None:
        raise result.exception
    return result.output


def test_the_exported_graph_scores_as_the_bundle(tiny_bundle: Path, tmp_path):
    target = tmp_path / "made" / "scores.onnx"
    assert "differs from torch by at most" in invoke(
        tiny_bundle, "-o", target, "--opset", "20", "--scores-only"
    )
    detector = load_detector(tiny_bundle)
    crops = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    session = ort.InferenceSession(str(target))
    (logits,) = session.run(None, {"image": detector.spec.preprocess.tensor(crops)})
    np.testing.assert_allclose(logits, detector.network.logits(crops), atol=1e-4)
    assert [entry.version for entry in onnx.load(target).opset_import if not entry.domain] == [20]
    assert [path.name for path in target.parent.iterdir()] == ["scores.onnx"]


def test_an_existing_file_is_kept(tiny_bundle: Path, tmp_path):
    target = tmp_path / "mine.onnx"
    target.write_text("mine")
    with pytest.raises(UsageError, match="--force"):
        invoke(tiny_bundle, "-o", target)
    assert target.read_text() == "mine"
    invoke(tiny_bundle, "-o", target, "--force")
    assert target.stat().st_size > 1000


def test_no_bundle_no_file(tmp_path):
    with pytest.raises(BundleError):
        invoke(tmp_path, "-o", tmp_path / "x.onnx")
    assert not (tmp_path / "x.onnx").exists()
