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
from authentiscan.inference.ensemble import Part, save_by_size, save_ensemble
from authentiscan.inference.update import update_spec
from authentiscan.metrics.calibration import Calibration
from authentiscan.metrics.decision import Decision, RealThreshold, Threshold


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


def rule(generated: float, real: float, fpr: float = 0.02) -> Decision:
    """A rule that says generated from the one score, real below the other."""
    return Decision(
        generated=Threshold(
            name="g",
            score=generated,
            measured_on="a test",
            fpr=fpr,
            fpr_interval=(0.01, 0.03),
            tpr=0.5,
        ),
        real=RealThreshold(
            name="r",
            score=real,
            measured_on="a test",
            miss=0.05,
            miss_interval=(0.04, 0.06),
            tnr=0.5,
        ),
    )


@pytest.fixture(scope="module")
def by_size(tiny_bundle: Path, other_bundle: Path, tmp_path_factory: pytest.TempPathFactory):
    """The tiny detector from 65 px, the other one below; each with thresholds of its own."""
    place = tmp_path_factory.mktemp("sizes")
    bundles = []
    for source, decision in ((tiny_bundle, rule(0.9, 0.2)), (other_bundle, rule(0.7, 0.4))):
        shutil.copytree(source, place / source.parent.name)
        update_spec(place / source.parent.name, decision=decision)
        bundles.append(place / source.parent.name)
    save_by_size([(bundles[0], (65, 1_000_000)), (bundles[1], (1, 64))], place / "both", name="two")
    return place / "both", bundles


def test_the_size_of_an_image_chooses_who_judges_it(by_size, photos):
    folder, bundles = by_size
    large, small = (load_detector(bundle, threads=1) for bundle in bundles)
    both = load_detector(folder, threads=1)
    picture = photos["coffee"]
    thumbnail = np.ascontiguousarray(picture[:64, :90])
    assert both.predict(picture).score == pytest.approx(large.predict(picture).score)
    member = both.spec.members[1]
    assert both.logits([thumbnail])[0] == pytest.approx(
        member.weight * small.logits([thumbnail])[0] + member.bias, abs=1e-5
    )
    mixed = [thumbnail, picture, thumbnail, picture[:65, :65]]
    scores = [found.score for found in both.predict_many(mixed)]
    assert scores == pytest.approx([both.predict(image).score for image in mixed], abs=1e-6)
    assert len(both.predict(thumbnail).crops) == len(small.predict(thumbnail).crops)
    assert both.spec.networks_for(64, 900) == small.spec.networks
    assert both.spec.networks_for(65, 900) == large.spec.networks
    assert both.network_for(64, 900).spec == small.network.spec
    with pytest.raises(UsageError, match="2 networks"):
        _ = both.network


def test_thresholds_of_members_fall_on_those_of_the_first(by_size):
    folder, bundles = by_size
    both, small = read_spec(folder), read_spec(bundles[1])
    member = both.members[1]
    for own, common in ((0.7, 0.9), (0.4, 0.2)):
        logit = member.weight * small.calibration.logit(own) + member.bias
        assert both.calibration(logit) == pytest.approx(common, abs=1e-9)


def test_a_report_states_the_rate_of_the_member_that_judges(by_size, photos, tmp_path):
    _, bundles = by_size
    shutil.copytree(bundles[1], tmp_path / "small")
    update_spec(tmp_path / "small", decision=rule(0.7, 0.4, fpr=0.011))
    save_by_size(
        [(bundles[0], (65, 1_000_000)), (tmp_path / "small", (1, 64))], tmp_path / "two", name="two"
    )
    detector = load_detector(tmp_path / "two", threads=1)
    for side, fpr in ((64, 0.011), (200, 0.02)):
        data = encode(np.ascontiguousarray(photos["coffee"][:side, :side]), "PNG")
        assert analyze(data, detector).fpr == fpr
    small, common = detector.spec.decision_for(64, 90), detector.spec.decision
    assert (small.generated.score, small.real.score) == (common.generated.score, common.real.score)
    assert detector.spec.decision_for(65, 90) == common
    anew = detector.spec.model_copy(update={"decision": rule(0.95, 0.2)})
    assert anew.decision_for(64, 90) == anew.decision, "thresholds that were measured together"


def test_a_detector_that_never_says_real_is_only_shifted(tiny_bundle, other_bundle, tmp_path):
    shutil.copytree(other_bundle, tmp_path / "small")
    update_spec(tmp_path / "small", decision=rule(0.7, 0.0))
    save_by_size(
        [(tiny_bundle, (65, 1_000_000)), (tmp_path / "small", (1, 64))],
        tmp_path / "two",
        name="two",
    )
    assert read_spec(tmp_path / "two").members[1].weight == 1.0


def test_the_heatmap_is_of_the_network_that_judges(by_size, photos):
    folder, bundles = by_size
    small = np.ascontiguousarray(photos["coffee"][:60, :80])
    found = explain(load_detector(folder, threads=1), small)
    alone = explain(load_detector(bundles[1], threads=1), small)
    np.testing.assert_allclose(found.scaled(), alone.scaled(), atol=1e-4)


def test_a_small_image_gets_no_warning_that_only_the_other_member_deserves(by_size, photos):
    folder, bundles = by_size
    data = encode(np.ascontiguousarray(photos["coffee"][:64, :64]), "PNG")
    codes = [
        {w.code for w in analyze(data, load_detector(path, threads=1)).warnings}
        for path in (folder, bundles[1])
    ]
    assert codes[0] == codes[1]


@pytest.mark.parametrize(
    "ranges",
    [
        ((65, 1_000_000), (1, 60)),
        ((65, 1_000_000), (1, 70)),
        ((65, 100), (1, 64)),
        ((2, 64), (65, 1_000_000)),
    ],
)
def test_sizes_judged_by_none_or_two_are_refused(tiny_bundle, other_bundle, tmp_path, ranges):
    with pytest.raises(UsageError, match="side"):
        save_by_size(
            list(zip((tiny_bundle, other_bundle), ranges, strict=True)), tmp_path / "x", name="x"
        )
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("sides", [[0, 64], [64, 1], ["a", 2], [1]])
def test_a_changed_range_of_sides_is_refused(by_size, tmp_path, sides):
    shutil.copytree(by_size[0], tmp_path / "copy")
    path = tmp_path / "copy" / "detector.json"
    content = json.loads(path.read_text())
    content["members"][1]["sides"] = sides
    path.write_text(json.dumps(content))
    with pytest.raises(BundleError):
        read_spec(tmp_path / "copy")


def test_a_description_in_which_a_size_is_judged_by_nobody_is_refused(by_size, tmp_path):
    shutil.copytree(by_size[0], tmp_path / "copy")
    path = tmp_path / "copy" / "detector.json"
    content = json.loads(path.read_text())
    content["members"][1]["sides"] = [1, 50]
    path.write_text(json.dumps(content))
    with pytest.raises(BundleError, match="shorter side is 51"):
        read_spec(tmp_path / "copy")


def test_a_bias_is_added_once(tiny_bundle, other_bundle, tmp_path, photos):
    save_ensemble([Part(tiny_bundle, 1.0), Part(other_bundle, 0.5, 0.25)], tmp_path / "a", name="a")
    save_ensemble([Part(tmp_path / "a", 2.0, 1.0)], tmp_path / "b", name="b")
    inner, outer = (load_detector(tmp_path / name, threads=1) for name in "ab")
    image = photos["coffee"]
    assert outer.logits([image])[0] == pytest.approx(2 * inner.logits([image])[0] + 1.0, abs=1e-5)
