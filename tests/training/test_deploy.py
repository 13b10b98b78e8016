"""Calibration on the validation part: what it writes into the bundle, and what it counts."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from authentiscan.evaluation.scores import ScoreTable
from authentiscan.images.decode import encode
from authentiscan.inference import read_spec
from authentiscan.manifest.table import Manifest
from authentiscan.training.deploy import calibrate, measure_typical, validation_metrics
from authentiscan.training.recipe import Deployment

HALF = 200


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))


@pytest.fixture
def table() -> ScoreTable:
    """Logits that overlap, of 200 photographs and 200 images of two generators."""
    rng = np.random.default_rng(4)
    labels = np.repeat([0, 1], HALF)
    logits = rng.normal(3.0 * labels - 1.5, 1.5)
    names = ["camera"] * HALF + ["flux", "sdxl"] * (HALF // 2)
    columns: dict[str, list[object]] = {"generator": list(names), "group": list(range(2 * HALF))}
    scores = 1 / (1 + np.exp(-logits))
    return ScoreTable(labels, scores, logits, columns, [None] * (2 * HALF), detector="tiny")


def test_calibration_and_thresholds_are_written_as_given_back(
    bundle: Path, table: ScoreTable
) -> None:
    spec, scored = calibrate(bundle, table, Deployment(fprs=(0.05, 0.1), decide_at=0.05))
    assert read_spec(bundle) == spec
    assert np.array_equal(np.argsort(scored.scores), np.argsort(table.logits))
    assert abs(scored.scores.mean() - 0.5) < 0.02, "Platt's curve keeps the share of generated"
    assert [limit.fpr for limit in spec.thresholds] == [0.05, 0.1]
    for limit in spec.thresholds:
        assert np.mean(scored.scores[:HALF] >= limit.score) <= limit.fpr
    assert spec.decision.generated.score == spec.thresholds[0].score
    assert "400 images" in spec.thresholds[0].measured_on


def test_figures_of_the_validation_part(table: ScoreTable) -> None:
    found = validation_metrics(table, threshold=0.9)
    assert found["images"] == 2 * HALF
    flagged = found["called_generated"]
    assert isinstance(flagged, dict)
    assert list(flagged) == ["camera", "flux", "sdxl"]
    assert [part["images"] for part in flagged.values()] == [HALF, HALF // 2, HALF // 2]
    share = np.mean(table.scores[:HALF] >= 0.9)
    assert flagged["camera"]["share"] == pytest.approx(share, abs=1e-4)
    right = (table.scores >= 0.5) == table.labels
    assert found["accuracy"] == pytest.approx(right.mean(), abs=1e-6)


def manifest(images: list[bytes]) -> Manifest:
    one = ["x"] * len(images)
    return Manifest(
        pa.table(
            {"image": images, "label": [0] * len(images), "generator": one, "dataset": one}
            | {"group": [str(i) for i in range(len(images))]}
        )
    )


def test_ranges_of_training_images_leave_out_what_cannot_be_read() -> None:
    rng = np.random.default_rng(1)
    images = [encode(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8), "PNG") for _ in range(6)]
    ranges = measure_typical(manifest([*images, b"no image"]))
    assert ranges == measure_typical(manifest(images))
    assert all(low <= high for low, high in ranges.values())
    assert measure_typical(manifest([b"no image"])) == {}
    assert measure_typical(manifest(images), sample=2, seed=3) != ranges
