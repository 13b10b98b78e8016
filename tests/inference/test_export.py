"""Writing bundles: complete or not at all, checked against torch, exact maps, small files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from authentiscan.core.errors import BundleError, UsageError
from authentiscan.images.preprocess import Preprocess
from authentiscan.inference import export, load_detector, read_spec
from authentiscan.inference.export import export_onnx, save_bundle
from authentiscan.inference.update import update_spec
from authentiscan.metrics.calibration import Calibration
from authentiscan.metrics.decision import Decision, RealThreshold, Threshold
from authentiscan.models import create, names

SMALL = {"front": "npr", "widths": [8, 16], "depths": [1, 1]}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("made") / "bundle"
    save_bundle(create("residual", **SMALL), folder, name="small", preprocess=Preprocess(size=32))
    return folder


def test_the_folder_is_complete_and_nothing_else_is_left(bundle):
    assert sorted(path.name for path in bundle.iterdir()) == [
        "README.md",
        "detector.json",
        "model.onnx",
        "weights.safetensors",
    ]
    assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]
    spec = read_spec(bundle)
    assert spec.architecture.name == "residual"
    assert spec.architecture.arguments == SMALL
    assert set(spec.files) == {"model.onnx", "weights.safetensors"}
    assert spec.decision.generated.measured_on.startswith("nothing yet")
    assert spec.libraries["torch"] == torch.__version__.split("+")[0]


def test_the_graph_carries_no_paths_of_the_machine(bundle):
    content = (bundle / "model.onnx").read_bytes()
    for trace in (b"site-packages", b'File "', str(Path.cwd()).encode()):
        assert trace not in content


def test_the_graph_holds_autograd_gradcam(bundle):
    """The second output equals Grad-CAM by autograd on the torch model of the same bundle."""
    detector = load_detector(bundle, threads=1)
    model = load_detector(bundle, backend="torch", threads=1).network.backend.model
    crops = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    x = torch.from_numpy(detector.spec.preprocess.tensor(crops))
    maps = model.features(x).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(model.head(maps).sum(), maps)
    signed = (gradient.mean(dim=(2, 3), keepdim=True) * maps).sum(1).detach().numpy()
    for target, sign in (("generated", 1), ("real", -1)):
        _, found = detector.network.explain_crops(crops, target)
        np.testing.assert_allclose(found, np.maximum(sign * signed, 0), atol=1e-6, rtol=1e-4)
    both = (
        detector.network.explain_crops(crops)[1] - detector.network.explain_crops(crops, "real")[1]
    )
    assert np.corrcoef(both.ravel(), signed.ravel())[0, 1] >= 0.9999


def test_update_spec_rewrites_description_and_card_only(bundle):
    before = (bundle / "model.onnx").read_bytes()
    threshold = Threshold(
        name="fpr5", score=0.7, fpr=0.05, fpr_interval=(0.03, 0.08), tpr=0.9, measured_on="val"
    )
    metrics = {
        "val": {"balanced_accuracy": 0.91, "balanced_accuracy_interval": [0.9, 0.92]},
        "per_generator": {
            "sd14": {"accuracy": 0.8, "accuracy_interval": [0.7, 0.9], "n": 120},
            "mid|journey": {"accuracy": {"value": 0.5, "low": 0.4, "high": 0.6}, "n": 7},
        },
    }
    spec = update_spec(
        bundle,
        calibration=Calibration(slope=2.0, intercept=-1.0),
        decision=Decision(generated=threshold, real=RealThreshold(score=0.3)),
        metrics=metrics,
    )
    assert read_spec(bundle) == spec
    assert (bundle / "model.onnx").read_bytes() == before
    card = (bundle / "README.md").read_text()
    assert "0.910 (0.900 to 0.920)" in card
    assert "| sd14 | 0.800 (0.700 to 0.900) | 120 |" in card
    assert "| mid\\|journey | 0.500 (0.400 to 0.600) | 7 |" in card
    assert "| fpr5 | 0.7000 | 5.0% (3.0% to 8.0%) | 90.0% | val |" in card
    assert load_detector(bundle).score(0.5) == pytest.approx(0.5)


def test_update_spec_refuses_what_is_no_field(bundle):
    with pytest.raises(UsageError, match="colour"):
        update_spec(bundle, colour="blue")
    with pytest.raises(UsageError):
        update_spec(bundle, calibration="none")


def test_an_older_bundle_is_replaced_and_other_folders_are_safe(bundle, tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    (target / "diary.txt").write_text("dear diary")
    model = create("residual", **SMALL)
    with pytest.raises(UsageError, match="other files"):
        save_bundle(model, target, name="x", preprocess=Preprocess(size=32))
    assert (target / "diary.txt").read_text() == "dear diary"
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(UsageError, match="is a file"):
        save_bundle(model, file, name="x", preprocess=Preprocess(size=32))
    (target / "diary.txt").unlink()
    save_bundle(model, target, name="one", preprocess=Preprocess(size=32))
    save_bundle(model, target, name="two", preprocess=Preprocess(size=32))
    assert read_spec(target).name == "two"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "target"]


def test_a_graph_that_differs_is_refused_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    with pytest.raises(BundleError, match="differs from torch"):
        save_bundle(
            create("residual", **SMALL), tmp_path / "b", name="x", preprocess=Preprocess(size=32)
        )
    assert list(tmp_path.iterdir()) == []


def test_export_keeps_the_mode_of_the_model_and_any_batch(tmp_path):
    model = create("residual", **SMALL).train()
    assert export_onnx(model, tmp_path / "scores.onnx", size=32, cam=False) <= 1e-4
    assert model.training
    import onnxruntime as ort

    session = ort.InferenceSession(str(tmp_path / "scores.onnx"))
    assert [node.name for node in session.get_outputs()] == ["logits"]
    for count in (1, 2, 9):
        (logits,) = session.run(None, {"image": np.zeros((count, 3, 32, 32), np.float32)})
        assert logits.shape == (count,)


def test_weights_that_do_not_fit_are_refused(bundle):
    broken = json.loads((bundle / "detector.json").read_text())
    broken["architecture"]["arguments"]["widths"] = [8, 24]
    copy = bundle.parent / "copy"
    copy.mkdir()
    for name in ("model.onnx", "weights.safetensors"):
        (copy / name).write_bytes((bundle / name).read_bytes())
    (copy / "detector.json").write_text(json.dumps(broken))
    with pytest.raises(BundleError, match="does not fit"):
        load_detector(copy, backend="torch")


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_every_family_becomes_a_bundle(name, tmp_path):
    import torch

    torch.manual_seed(0)  # maps near zero of a net without training magnify differences
    save_bundle(create(name), tmp_path / name, name=name, preprocess=Preprocess(size=64))
    detector = load_detector(tmp_path / name)
    assert 0 <= detector.predict(np.zeros((70, 70, 3), np.uint8)).score <= 1


def test_weights_with_a_broken_header_are_told_plainly(tiny_bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(tiny_bundle, folder)
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:50].replace(b"{", b"["))
    with pytest.raises(BundleError, match="cannot be read: it is broken or no safetensors file"):
        load_detector(folder, backend="torch", verify=False)
