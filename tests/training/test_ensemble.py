"""Weights that fit, what is written and measured, and the plain verdict."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from authentiscan.cli import app
from authentiscan.core.errors import MetricError, UsageError
from authentiscan.evaluation.slices import Options
from authentiscan.images.decode import encode
from authentiscan.images.preprocess import Preprocess
from authentiscan.inference import EnsembleSpec, load_detector, read_spec
from authentiscan.inference.export import save_bundle
from authentiscan.manifest.table import Manifest
from authentiscan.models import create
from authentiscan.training.ensemble import fit_shares, make_ensemble

QUICK = Options(rounds=50)


@pytest.fixture(scope="module")
def noise_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector with random weights: it knows nothing."""
    torch.manual_seed(1)
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("noise") / "bundle"
    model = create(
        "residual", front="npr", widths=[8], depths=[1], head_widths=[], head_dropouts=[]
    )
    save_bundle(model, folder, name="random", preprocess=Preprocess(size=48))
    return folder


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, np.ndarray]) -> Path:
    """What the tiny bundle tells apart: crops of photographs and enlarged ones: 80 val, 60 test."""
    import pyarrow as pa

    rng = np.random.default_rng(2)
    rows: dict[str, list[object]] = {
        k: [] for k in ("image", "label", "generator", "dataset", "group", "split")
    }
    for index in range(140):
        photo = photos[sorted(photos)[index % 6]]
        label = index % 2
        side = 40 if label else 80
        top, left = (int(rng.integers(s - side)) for s in photo.shape[:2])
        tile = photo[top : top + side, left : left + side]
        if label:
            tile = np.asarray(Image.fromarray(tile).resize((80, 80), Image.Resampling.BILINEAR))
        rows["image"].append(encode(np.ascontiguousarray(tile), "PNG"))
        rows["label"].append(label)
        rows["generator"].append("enlarged" if label else "camera")
        rows["dataset"].append("crops")
        rows["group"].append(f"crop {index}")
        rows["split"].append("val" if index < 80 else "test")
    path = tmp_path_factory.mktemp("crops") / "crops.parquet"
    Manifest(pa.table(rows)).write(path)
    return path


def test_fitted_weights_are_a_logistic_regressions_and_never_negative():
    linear = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 400)
    z = rng.normal(0, 1, (800, 3)) + labels[:, None] * np.asarray([1.5, 1.0, 0.0])
    model = linear.LogisticRegression(C=np.inf, class_weight="balanced").fit(z, labels)
    np.testing.assert_allclose(
        fit_shares(z[:, :2], labels), refit(linear, z[:, :2], labels), atol=0.05
    )
    assert fit_shares(z, labels)[2] == pytest.approx(max(0.0, model.coef_[0, 2]), abs=0.05)
    against = np.stack([z[:, 0], -z[:, 1]], axis=1)
    found = fit_shares(against, labels)
    assert found[0] > 0
    assert found[1] == 0


def refit(linear, z, labels):
    return linear.LogisticRegression(C=np.inf, class_weight="balanced").fit(z, labels).coef_[0]


def test_members_that_agree_share_the_weight():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 50)
    z = rng.normal(0, 1, 100) + labels
    shares = fit_shares(np.stack([z, z], axis=1), labels)
    assert shares[0] == pytest.approx(shares[1], rel=0.01)


def test_a_member_that_knows_nothing_gets_little(tiny_bundle, noise_bundle, crops, tmp_path):
    manifest = Manifest.read(crops)
    made = make_ensemble(
        [tiny_bundle, noise_bundle],
        tmp_path / "e",
        manifest.where(split="val"),
        test=manifest.where(split="test"),
        protocol="raw",
        options=QUICK,
    )
    assert made.best == "tiny"
    assert made.shares["tiny"] > 0.5
    assert sum(made.shares.values()) == pytest.approx(1)
    assert made.test is not None
    assert made.test.standings[-1].metrics["roc_auc"].value > 0.8
    assert [s.detector for s in made.test.standings] == ["tiny", "random", "e"]
    assert "better than its best member 'tiny'" in made.verdict or "worse than" in made.verdict
    assert "on test images" in made.verdict
    spec = read_spec(tmp_path / "e")
    assert spec == made.spec
    assert isinstance(spec, EnsembleSpec)
    assert spec.decision.generated.name == "fpr_5"
    assert spec.metrics.part("ensemble").facts["verdict"] == made.verdict
    assert set(spec.metrics.part("ensemble", "beside_members").parts) == {"validation", "test"}
    assert made.verdict in (tmp_path / "e" / "README.md").read_text()
    image = np.zeros((90, 90, 3), np.uint8)
    assert 0 <= load_detector(tmp_path / "e").predict(image).score <= 1


def test_equal_and_given_weights_are_of_log_odds(tiny_bundle, noise_bundle, crops, tmp_path):
    val = Manifest.read(crops).where(split="val")
    three = [tiny_bundle, tiny_bundle, noise_bundle]
    equal = make_ensemble(
        three, tmp_path / "equal", val, weights="equal", protocol="raw", options=QUICK
    )
    given = make_ensemble(
        three, tmp_path / "given", val, weights=(2.0, 2.0, 2.0), protocol="raw", options=QUICK
    )
    weights = [
        [m.weight for m in read_spec(tmp_path / name).members] for name in ("equal", "given")
    ]
    assert weights[0] == pytest.approx(weights[1])
    assert equal.shares == given.shares
    assert list(equal.shares) == ["tiny", "tiny-2", "random"]
    assert equal.test is None
    assert "validation images" in equal.verdict
    nothing = equal.gain.model_copy(update={"value": -1e-9, "low": -1e-9, "high": 1e-9})
    assert "ROC AUC +0.000 [+0.000, +0.000]" in replace(equal, gain=nothing).verdict


def test_wrong_use_is_told(tiny_bundle, noise_bundle, crops, tmp_path):
    val = Manifest.read(crops).where(split="val")
    out = tmp_path / "e"
    with pytest.raises(UsageError, match="two or more"):
        make_ensemble([tiny_bundle], out, val)
    with pytest.raises(UsageError, match="1 weights for 2 members"):
        make_ensemble([tiny_bundle, noise_bundle], out, val, weights=(1.0,))
    with pytest.raises(UsageError, match="at least 0"):
        make_ensemble([tiny_bundle, noise_bundle], out, val, weights=(1.0, -1.0))
    with pytest.raises(MetricError, match="real"):
        make_ensemble([tiny_bundle, noise_bundle], out, val.where(label=1), protocol="raw")
    assert not out.exists()


def test_from_the_command_line(tiny_bundle, crops, tmp_path):
    out = tmp_path / "both"
    arguments = [
        "ensemble", str(tiny_bundle), str(tiny_bundle), "--out", str(out), "--data", str(crops),
        "--protocol", "raw", "--bootstrap", "50", "--weights", "0.8,0.2",
    ]  # fmt: skip
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert f"bundle: {out}" in result.stdout
    assert "best member" in result.stdout
    info = CliRunner().invoke(app, ["models", "info", str(out)])
    assert info.exit_code == 0, info.output
    assert "members/tiny-2" in info.stdout
    exported = CliRunner().invoke(app, ["export", str(out), "-o", str(tmp_path / "x.onnx")])
    assert isinstance(exported.exception, UsageError)
    assert "export its members" in str(exported.exception)
    wrong = CliRunner().invoke(app, [*arguments[:-1], "much"])
    assert isinstance(wrong.exception, UsageError)


def test_making_one_needs_no_torch(tiny_bundle, noise_bundle, crops, tmp_path):
    code = (
        "import sys; from pathlib import Path;"
        "from authentiscan.manifest.table import Manifest;"
        "from authentiscan.training.ensemble import make_ensemble;"
        f"val = Manifest.read({str(crops)!r}).where(split='val');"
        f"make_ensemble([{str(tiny_bundle)!r}, {str(noise_bundle)!r}],"
        f" Path({str(tmp_path / 'e')!r}), val, protocol='raw');"
        "print([m for m in ('torch', 'timm', 'lightning') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
