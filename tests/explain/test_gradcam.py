"""Maps over whole images: placed where their crops were, equal to autograd, scaled as stated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from authentiscan.core.types import DecodedImage, ImageFacts
from authentiscan.explain import explain, heatmap
from authentiscan.explain.base import Heatmap, enlarge, stitch
from authentiscan.images.preprocess import Preprocess
from authentiscan.inference import Detector, Network, WeightedNetwork, load_detector
from authentiscan.models import create, names


@pytest.fixture(scope="module")
def detector(tiny_bundle: Path) -> Detector:
    made = load_detector(tiny_bundle, threads=1)
    everywhere = Preprocess(size=64, max_crops=64)
    spec = made.spec.model_copy(update={"preprocess": everywhere})
    return Detector(spec, [WeightedNetwork(1.0, Network(spec, made.network.backend))])


@pytest.fixture(scope="module")
def pasted(photos):
    """A photograph with one region enlarged, which is what the tiny detector was made to find."""
    image = photos["astronaut"].copy()
    small = Image.fromarray(image[100:200, 100:200])
    image[300:500, 50:250] = np.asarray(small.resize((200, 200), Image.Resampling.BILINEAR))
    return image


def test_the_map_lies_on_the_generated_region(detector, pasted):
    found = explain(detector, pasted)
    inside = found.raw[310:490, 60:240].mean()
    outside = found.raw.copy()
    outside[300:500, 50:250] = np.nan
    assert found.raw.shape == pasted.shape[:2]
    assert inside > 3 * np.nanmean(outside)
    assert found.covered.all()


def test_score_is_the_detectors_and_targets_exclude_each_other(detector, pasted):
    generated, real = explain(detector, pasted), explain(detector, pasted, target="real")
    assert generated.score == pytest.approx(detector.predict(pasted).score, abs=1e-6)
    assert generated.score == real.score
    assert generated.raw.min() >= 0
    assert real.raw.min() >= 0
    assert generated.target == "generated"
    assert generated.prediction == detector.predict(pasted)


def test_heatmap_is_float32_between_0_and_1(detector, photos):
    pixels = photos["coffee"]
    values = heatmap(detector, pixels)
    assert values.dtype == np.float32
    assert values.shape == pixels.shape[:2]
    assert values.min() >= 0
    assert values.max() == pytest.approx(1)
    facts = ImageFacts("PNG", pixels.shape[1], pixels.shape[0], "RGB", 0, "")
    np.testing.assert_array_equal(values, heatmap(detector, DecodedImage(pixels, facts)))


def test_an_empty_map_stays_empty():
    empty = np.zeros((4, 4), np.float32)
    scaled = Heatmap(empty, np.ones((4, 4), bool), 0.1, "generated").scaled()
    assert not scaled.any()


@pytest.mark.parametrize("name", names())
def test_equal_to_hooked_autograd_gradcam(name):
    """Against Grad-CAM as everyone computes it: hooks on the last layer and a backward pass."""
    torch.manual_seed(1)
    torch.set_num_threads(1)
    model = create(name)
    model.train()
    with torch.no_grad():
        model(torch.randn(4, 3, 64, 64))
    model.eval()
    kept = {}

    def keep(_module, _inputs, out):
        # Behind a fixed front end nothing asks for a gradient by itself.
        kept["maps"] = out if out.requires_grad else out.requires_grad_()
        return kept["maps"]

    hook = model.backbone.register_forward_hook(keep)
    x = torch.randn(3, 3, 64, 64)
    logits = model(x)
    hook.remove()
    (gradient,) = torch.autograd.grad(logits.sum(), kept["maps"])
    expected = (gradient.mean((2, 3), keepdim=True) * kept["maps"]).sum(1).detach().numpy()
    found = model.explain(x)[1].detach().numpy()
    assert np.corrcoef(expected.ravel(), found.ravel())[0, 1] >= 0.9999
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 150),
    width=st.integers(1, 150),
    resize=st.sampled_from(["none", "short_side", "squash"]),
    small=st.sampled_from(["reflect", "tile", "upscale"]),
    crops=st.integers(1, 12),
)
def test_stitching_fits_any_image(height, width, resize, small, crops):
    preprocess = Preprocess(size=32, resize=resize, small_image=small, max_crops=crops)
    taken, boxes = preprocess.crops(np.zeros((height, width, 3), np.uint8))
    maps = np.ones((len(taken), 4, 4), np.float32)
    raw, covered = stitch(maps, boxes, preprocess, height, width)
    assert raw.shape == covered.shape == (height, width)
    assert raw.dtype == np.float32
    assert covered.any()
    # Constant maps give a constant picture: averaged, not summed, where crops overlap.
    if resize == "none" and small != "upscale":
        np.testing.assert_allclose(raw[covered], 1, atol=1e-5)
        assert not raw[~covered].any()


def test_overlaps_are_averaged():
    preprocess = Preprocess(size=8, max_crops=2)
    _, boxes = preprocess.crops(np.zeros((8, 12, 3), np.uint8))
    maps = np.stack([np.full((2, 2), 1, np.float32), np.full((2, 2), 3, np.float32)])
    raw, _ = stitch(maps, boxes, preprocess, 8, 12)
    np.testing.assert_allclose(raw[0], [1] * 4 + [2] * 4 + [3] * 4)


def test_enlarging_keeps_the_mean_place():
    values = np.zeros((4, 4), np.float32)
    values[1, 2] = 1
    big = enlarge(values, 64, 64)
    y, x = np.unravel_index(big.argmax(), big.shape)
    assert abs(y - 23.5) <= 1
    assert abs(x - 39.5) <= 1
