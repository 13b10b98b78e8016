"""An ensemble is a bundle: it loads, scores and explains like one, and is refused when changed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from authentiscan.analysis import analyze
from authentiscan.core.errors import (
    BundleError,
    BundleIntegrityError,
    BundleVersionError,
    UsageError,
)
from authentiscan.explain import explain
from authentiscan.explain.base import stitch
from authentiscan.images.decode import encode
from authentiscan.inference import EnsembleSpec, load_detector, read_spec
from authentiscan.inference.ensemble import save_ensemble
from authentiscan.inference.update import update_spec
from authentiscan.metrics.calibration import Calibration


@pytest.fixture(scope="module")
def other_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector that crops in another way and has maps of another size."""
    import torch

    from authentiscan.images.preprocess import Preprocess
    from authentiscan.inference.export import save_bundle
    from authentiscan.models import create

    torch.manual_seed(3)
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("other") / "bundle"
    model = create("residual", front="npr", widths=[8, 16], depths=[1, 1])
    save_bundle(
        model,
        folder,
        name="other",
        preprocess=Preprocess(size=96, resize="short_side", max_crops=2, pooling="max"),
    )
    return folder


@pytest.fixture(scope="module")
def pair(tiny_bundle: Path, other_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pair") / "pair"
    save_ensemble([(tiny_bundle, 0.5), (other_bundle, 2.0)], folder, name="pair")
    update_spec(folder, calibration=Calibration(slope=0.7, intercept=-0.2))
    return folder


def test_the_logit_is_the_weighted_sum_of_the_members(pair, tiny_bundle, other_bundle, photos):
    detector = load_detector(pair, threads=1)
    members = [load_detector(path, threads=1) for path in (tiny_bundle, other_bundle)]
    images = [photos["coffee"], photos["astronaut"], photos["chelsea"][:50, :70]]
    expected = 0.5 * members[0].logits(images) + 2.0 * members[1].logits(images)
    np.testing.assert_allclose(detector.logits(images), expected, atol=1e-5)
    for image, logit in zip(images, expected, strict=True):
        found = detector.predict(image)
        assert found.score == pytest.approx(Calibration(slope=0.7, intercept=-0.2)(logit), abs=1e-5)
        alone = [crop.score for m in members for crop in m.predict(image).crops]
        assert [crop.score for crop in found.crops] == pytest.approx(alone, abs=1e-5)
    many = [p.score for p in detector.predict_many(images)]
    assert many == pytest.approx([detector.predict(image).score for image in images], abs=1e-5)


def test_the_map_is_the_weighted_sum_of_the_members_maps(pair, photos):
    detector = load_detector(pair, threads=1)
    image = photos["coffee"]
    total, first = np.zeros(image.shape[:2]), 0
    for weighted in detector.networks:
        crops, boxes = weighted.network.preprocess.crops(image)
        _, maps = weighted.network.explain_crops(crops, "generated")
        cells = maps[0].size
        first = first or cells
        raw, _ = stitch(maps, boxes, weighted.network.preprocess, *image.shape[:2])
        total += weighted.weight * cells / first * raw
    found = explain(detector, image)
    np.testing.assert_allclose(found.raw, total, rtol=1e-4, atol=1e-6)
    assert found.prediction == detector.predict(image)
    assert found.covered.all()


def test_twins_of_half_weight_are_the_detector_itself(tiny_bundle, tmp_path, photos):
    save_ensemble([(tiny_bundle, 0.5), (tiny_bundle, 0.5)], tmp_path / "twins", name="twins")
    spec = read_spec(tmp_path / "twins")
    assert isinstance(spec, EnsembleSpec)
    assert [m.folder for m in spec.members] == ["members/tiny", "members/tiny-2"]
    twins, alone = load_detector(tmp_path / "twins"), load_detector(tiny_bundle)
    image = photos["china"]
    assert twins.logits([image]) == pytest.approx(alone.logits([image]))
    np.testing.assert_allclose(explain(twins, image).raw, explain(alone, image).raw, rtol=1e-5)


def test_an_ensemble_may_be_a_member(pair, tiny_bundle, tmp_path, photos):
    nested = tmp_path / "nested"
    save_ensemble([(pair, 0.25), (tiny_bundle, 1.0)], nested, name="nested")
    image = photos["rocket"]
    detector = load_detector(nested, threads=1)
    assert [weighted.weight for weighted in detector.networks] == [0.125, 0.5, 1.0]
    expected = 0.25 * load_detector(pair).logits([image]) + load_detector(tiny_bundle).logits(
        [image]
    )
    assert detector.logits([image]) == pytest.approx(expected, abs=1e-5)
    deeper = tmp_path / "deeper"
    save_ensemble([(nested, 1.0)], deeper, name="deeper")
    with pytest.raises(BundleError, match="nested more than 3 deep"):
        save_ensemble([(deeper, 1.0)], tmp_path / "deepest", name="deepest")
    assert not (tmp_path / "deepest").exists()


def copied(bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle, tmp_path / "copy"))


@pytest.mark.parametrize("file", ["members/tiny/model.onnx", "members/other/weights.safetensors"])
def test_a_changed_member_is_refused(pair, tmp_path, file):
    bundle = copied(pair, tmp_path)
    with (bundle / file).open("ab") as opened:
        opened.write(b"x")
    with pytest.raises(BundleIntegrityError, match=Path(file).name):
        load_detector(bundle)


def test_a_member_with_another_description_is_refused(pair, tmp_path):
    bundle = copied(pair, tmp_path)
    update_spec(bundle / "members" / "tiny", summary="by somebody else")
    with pytest.raises(BundleIntegrityError, match=r"members/tiny/detector\.json"):
        load_detector(bundle)


def changed(bundle: Path, **fields: object) -> None:
    path = bundle / "detector.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_descriptions_that_lie_are_refused(pair, tmp_path):
    bundle = copied(pair, tmp_path)
    members = json.loads((bundle / "detector.json").read_text())["members"]
    for folder in ("members/../..", "/etc", "members/a/b", "elsewhere", "members/tiny\n", 7):
        changed(bundle, members=[{**members[0], "folder": folder, "spec": {}}])
        with pytest.raises(BundleError, match="folder"):
            load_detector(bundle)
    for listed in ("members", [1], [[]], None, []):
        changed(bundle, members=listed)
        with pytest.raises(BundleError, match="members"):
            load_detector(bundle)
    changed(bundle, members=[{**members[0], "weight": -1}])
    with pytest.raises(BundleError, match="weight"):
        load_detector(bundle)
    changed(bundle, members=members, files={})
    with pytest.raises(BundleIntegrityError, match="states no checksum"):
        load_detector(bundle)
    for kind in ("oracle", ["ensemble"], None):
        changed(bundle, kind=kind)
        with pytest.raises(BundleVersionError):
            load_detector(bundle)


def test_a_circle_of_links_is_refused(pair, tmp_path):
    bundle = copied(pair, tmp_path)
    shutil.rmtree(bundle / "members" / "tiny")
    (bundle / "members" / "tiny").symlink_to(bundle)
    for verify in (True, False):
        with pytest.raises(BundleIntegrityError, match="is a link"):
            load_detector(bundle, verify=verify)


def test_weights_must_make_sense(tiny_bundle, tmp_path):
    for weights in ([-1.0, 1.0], [0.0, 0.0], [float("nan"), 1.0], [float("inf"), 1.0]):
        with pytest.raises(UsageError, match="at least 0"):
            save_ensemble([(tiny_bundle, w) for w in weights], tmp_path / "e", name="e")
    with pytest.raises(UsageError):
        save_ensemble([], tmp_path / "e", name="e")
    assert list(tmp_path.iterdir()) == []


def test_what_needs_one_network_says_so(pair):
    with pytest.raises(UsageError, match="ensemble of 2 networks"):
        _ = load_detector(pair).network


def test_the_report_and_the_card_name_the_members(pair, tiny_bundle, photos):
    detector = load_detector(pair, threads=1)
    report = analyze(encode(photos["coffee"], "PNG"), detector, heatmap=True, stability=True)
    assert report.model is not None
    assert report.model.architecture == "ensemble of residual, residual"
    assert report.model.sha256 == detector.spec.identity
    assert report.heatmap is not None
    assert report.stability is not None
    card = (pair / "README.md").read_text()
    assert "## Members" in card
    assert "| other | `members/other` | 2 |" in card
    assert detector.spec.parameters == sum(
        load_detector(path).spec.parameters for path in (pair / "members").iterdir()
    )
    assert detector.spec.limits == read_spec(tiny_bundle).limits


def test_weights_and_members_make_the_identity(pair, tiny_bundle, other_bundle, tmp_path):
    save_ensemble([(tiny_bundle, 0.5), (other_bundle, 2.0)], tmp_path / "same", name="same")
    save_ensemble([(tiny_bundle, 0.5), (other_bundle, 1.0)], tmp_path / "less", name="less")
    same, less = (read_spec(tmp_path / name).identity for name in ("same", "less"))
    assert same == read_spec(pair).identity
    assert less != same


def test_no_torch_is_needed(pair):
    code = (
        "import sys, numpy as np; from authentiscan.inference import load_detector;"
        "from authentiscan.explain import explain;"
        f"d = load_detector({str(pair)!r});"
        "explain(d, np.zeros((80, 80, 3), np.uint8));"
        "print([m for m in ('torch', 'timm', 'onnx', 'scipy', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
