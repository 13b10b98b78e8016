"""Grad-CAM++, integrated gradients and occlusion on the torch backend."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from authentiscan.core.errors import UsageError
from authentiscan.explain import explain
from authentiscan.explain.methods import METHODS, method, needs_torch
from authentiscan.inference import Detector, load_detector


@pytest.fixture(scope="module")
def detector(tiny_bundle: Path) -> Detector:
    return load_detector(tiny_bundle, backend="torch", threads=1)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("target", ["generated", "real"])
def test_every_method_gives_maps_and_the_detectors_logits(detector, photos, name, target):
    pytest.importorskip("captum")
    crops, _ = detector.spec.preprocess.crops(photos["coffee"])
    logits, maps = method(name)(detector.network, crops, target)
    np.testing.assert_allclose(logits, detector.network.logits(crops), atol=1e-5)
    assert maps.shape[0] == len(crops)
    assert maps.ndim == 3
    assert maps.dtype == np.float32
    assert maps.min() >= 0
    assert np.isfinite(maps).all()
    found = explain(detector, photos["coffee"], target=target, method=method(name))
    assert found.raw.shape == photos["coffee"].shape[:2]


def test_integrated_gradients_are_complete(detector, photos):
    """Attributions of both directions sum to the logit's difference from the baseline's."""
    captum = pytest.importorskip("captum")
    del captum
    import torch

    crops = detector.spec.preprocess.crops(photos["coffee"])[0][:2]
    by = method("ig")
    logits, generated = by(detector.network, crops, "generated")
    _, real = by(detector.network, crops, "real")
    with torch.inference_mode():
        base = detector.network.backend.model(torch.zeros(1, 3, 64, 64)).item()
    total = (generated - real).sum(axis=(1, 2))
    np.testing.assert_allclose(total, logits - base, atol=0.15 * np.abs(logits - base).max())


def test_methods_by_name(tiny_bundle, photos):
    assert [needs_torch(name) for name in METHODS] == [False, True, True, True]
    with pytest.raises(UsageError, match="gradcam"):
        method("lime")
    onnx = load_detector(tiny_bundle)
    with pytest.raises(UsageError, match="torch backend"):
        method("gradcam++")(onnx.network, photos["coffee"][None, :64, :64], "generated")


def test_integrated_gradients_refuse_a_model_that_counts_pixels(tmp_path):
    from authentiscan.images.preprocess import Preprocess
    from authentiscan.inference.export import save_bundle
    from authentiscan.models import create

    unit = (1 / 255, 1 / 255, 1 / 255)
    preprocess = Preprocess(size=64, mean=(0.0, 0.0, 0.0), std=unit)
    save_bundle(create("cooccurrence").eval(), tmp_path / "b", name="b", preprocess=preprocess)
    detector = load_detector(tmp_path / "b", backend="torch")
    crops = np.zeros((1, 64, 64, 3), np.uint8)
    with pytest.raises(UsageError, match="use occlusion or gradcam"):
        method("ig")(detector.network, crops, "generated")
