"""A bundle with float16 weights: half the size, nearly the same scores, the two graphs agree."""

from __future__ import annotations

import shutil

import numpy as np
import onnx
import pytest
import torch

from authentiscan.core.errors import BundleError, UsageError
from authentiscan.inference import load_detector, read_spec
from authentiscan.inference.ensemble import save_ensemble
from authentiscan.inference.half import halve_bundle, round_weights


@pytest.fixture(scope="module")
def halved(tiny_bundle, tmp_path_factory):
    folder = tmp_path_factory.mktemp("half") / "bundle"
    halve_bundle(tiny_bundle, folder)
    return folder


def test_files_shrink_and_scores_stay_close(tiny_bundle, halved, photos):
    images = [photos["coffee"], photos["astronaut"]]
    whole, half = (load_detector(path, threads=1).logits(images) for path in (tiny_bundle, halved))
    np.testing.assert_allclose(half, whole, atol=0.02)
    before, after = (tiny_bundle / "weights.safetensors", halved / "weights.safetensors")
    assert after.stat().st_size < 0.8 * before.stat().st_size
    large = [w for w in onnx.load(halved / "model.onnx").graph.initializer if len(w.dims) > 1]
    assert {w.data_type for w in large} == {onnx.TensorProto.FLOAT16}


def test_both_backends_compute_with_the_same_weights(halved, photos):
    images = [photos["coffee"], photos["chelsea"]]
    onnx, weights = (
        load_detector(halved, backend=backend, threads=1).logits(images)
        for backend in ("onnx", "torch")
    )
    np.testing.assert_allclose(onnx, weights, atol=0.02)


def test_the_map_is_still_in_the_graph(halved, photos):
    network = load_detector(halved, threads=1).network
    crops, _ = network.preprocess.crops(photos["coffee"])
    assert network.explain_crops(crops)[1].max() > 0


def test_halving_twice_changes_nothing(halved, tmp_path):
    halve_bundle(halved, tmp_path / "again")
    assert read_spec(tmp_path / "again").files == read_spec(halved).files


def test_a_graph_alone_judges_alike_and_does_nothing_else(halved, photos, tmp_path):
    alone = tmp_path / "alone"
    halve_bundle(halved, alone, graph_only=True)
    assert not (alone / "weights.safetensors").exists()
    images = [photos["coffee"]]
    one, other = (load_detector(path, threads=1).logits(images) for path in (halved, alone))
    np.testing.assert_array_equal(one, other)
    with pytest.raises(BundleError, match="a graph alone, without weights for torch"):
        load_detector(alone, backend="torch")


def test_statistics_keep_their_small_numbers():
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    model[1].running_var.fill_(1e-9)
    with torch.no_grad():
        model[0].weight.fill_(1 + 2**-13)
    round_weights(model)
    assert model[1].running_var[0] == torch.tensor(1e-9)
    assert model[0].weight[0, 0, 0, 0] == 1


def test_too_large_weights_and_ensembles_are_refused(tiny_bundle, tmp_path):
    model = torch.nn.Linear(2, 2)
    with torch.no_grad():
        model.weight.fill_(1e6)
    with pytest.raises(UsageError, match="65,504"):
        round_weights(model)
    shutil.copytree(tiny_bundle, tmp_path / "a")
    save_ensemble([(tmp_path / "a", 1.0)], tmp_path / "both", name="both")
    with pytest.raises(UsageError, match="ensemble"):
        halve_bundle(tmp_path / "both", tmp_path / "half")
