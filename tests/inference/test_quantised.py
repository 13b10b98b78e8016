"""Graphs in 8 bits: about the same scores, or none."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file

from authentiscan.core.errors import BundleError, UsageError
from authentiscan.images.preprocess import Preprocess
from authentiscan.inference import NetworkSpec, load_detector, quantised, read_spec
from authentiscan.inference.export import save_bundle
from authentiscan.models import create


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = create("foundation", backbones=["test_vit"], size=32, depths=1, head_widths=[])
    folder = tmp_path_factory.mktemp("full") / "bundle"
    save_bundle(
        model, folder, name="tiny", preprocess=Preprocess(size=32, mean=(0, 0, 0), std=(1, 1, 1))
    )
    return folder


def test_a_smaller_bundle_scores_alike(bundle: Path, tmp_path: Path) -> None:
    drift = quantised.quantise_bundle(bundle, tmp_path / "small")
    assert 0 <= drift <= quantised.MOST_DRIFT
    before, after = (p / "model.onnx" for p in (bundle, tmp_path / "small"))
    assert after.stat().st_size < 0.75 * before.stat().st_size
    pixels = np.random.default_rng(0).integers(0, 256, (3, 40, 50, 3), dtype=np.uint8)
    full, small = load_detector(bundle), load_detector(tmp_path / "small")
    np.testing.assert_allclose(small.logits(pixels), full.logits(pixels), atol=0.25)
    made, spec = read_spec(tmp_path / "small"), read_spec(bundle)
    assert isinstance(made, NetworkSpec)
    assert made.selftest is not None
    assert made.calibration == spec.calibration
    maps = [d.networks[0].network.explain_crops(pixels[:, :32, :32])[1] for d in (small, full)]
    assert np.abs(maps[0] - maps[1]).max() < 0.1 * np.abs(maps[1]).max()


def test_a_head_whose_weights_the_heatmap_reads_too_stays_as_it_is(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = create(
        "foundation",
        backbones=["test_vit"],
        size=32,
        depths=1,
        head_widths=[16],
        head_dropouts=[0.0],
    )
    way = Preprocess(size=32, mean=(0, 0, 0), std=(1, 1, 1))
    save_bundle(model, tmp_path / "full", name="tiny", preprocess=way)
    assert quantised.quantise_bundle(tmp_path / "full", tmp_path / "small") <= 0.25
    assert load_detector(tmp_path / "small").explains


def test_a_score_does_not_depend_on_its_batch(bundle: Path, tmp_path: Path) -> None:
    quantised.quantise_bundle(bundle, tmp_path / "small")
    pixels = np.random.default_rng(1).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    pixels[1] //= 50  # beside it, the others' numbers are large
    small = load_detector(tmp_path / "small")
    alone = np.concatenate([small.logits(pixels[i : i + 1]) for i in range(4)])
    np.testing.assert_allclose(small.logits(pixels), alone, atol=1e-5)


def test_what_learned_is_kept_beside_the_graph(bundle: Path, tmp_path: Path) -> None:
    quantised.quantise_bundle(bundle, tmp_path / "small")
    kept = load_file(tmp_path / "small" / "weights.safetensors")
    assert kept
    assert all(name.startswith("head.") for name in kept)
    with pytest.raises(UsageError, match="the weights of 'test_vit' could not be fetched"):
        load_detector(tmp_path / "small", backend="torch")


@given(
    shape=st.tuples(st.integers(1, 6), st.integers(1, 5)),
    block=st.sampled_from([16, 32]),
    levels=st.sampled_from([3, 15, 31, 255]),
    seed=st.integers(0, 1000),
)
def test_codes_are_within_half_a_level(
    shape: tuple[int, int], block: int, levels: int, seed: int
) -> None:
    weight = np.random.default_rng(seed).normal(size=(shape[0] * block, shape[1]))
    weight[:block] = 0
    codes, scales = quantised._coded(weight, block, levels)
    assert codes.shape == (shape[1], shape[0], block)
    assert len(np.unique(codes)) <= levels
    back = (codes.astype(float) - 128) * scales.reshape(shape[1], shape[0], 1)
    wrong = np.abs(back - weight.T.reshape(codes.shape))
    largest = np.abs(weight.T.reshape(codes.shape)).max(axis=2, keepdims=True)
    assert np.all(wrong <= largest * (1 / (levels - 1) + 1e-3) + 1e-9)


def test_fewer_levels_pack_better(bundle: Path, tmp_path: Path) -> None:
    sizes = []
    for levels in (255, 31):
        folder = tmp_path / str(levels)
        quantised.quantise_bundle(bundle, folder, levels=levels, most_drift=5)
        sizes.append(len(zlib.compress((folder / "model.onnx").read_bytes())))
    assert sizes[1] < sizes[0]


@pytest.mark.parametrize("levels", [1, 30, 257])
def test_levels_out_of_range_are_refused(bundle: Path, tmp_path: Path, levels: int) -> None:
    with pytest.raises(UsageError, match="an odd number from 3 to 255"):
        quantised.quantise_bundle(bundle, tmp_path / "small", levels=levels)


def test_a_graph_that_drifts_is_not_written(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="with 3 levels a logit drifts by"):
        quantised.quantise_bundle(bundle, tmp_path / "small", levels=3, most_drift=1e-6)
    assert not (tmp_path / "small").exists()


def test_a_selftest_of_another_length_is_told(bundle: Path, tmp_path: Path) -> None:
    quantised.quantise_bundle(bundle, tmp_path / "small")
    file = tmp_path / "small" / "detector.json"
    described = json.loads(file.read_text())
    described["selftest"] = described["selftest"][:2]
    file.write_text(json.dumps(described))
    with pytest.raises(BundleError, match="states 2 logits, expected 4"):
        load_detector(tmp_path / "small")
