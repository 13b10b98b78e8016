"""Whole runs on made-up generators: what they leave, and that it names them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from attribution_samples import GENERATORS, made_by, write_generators
from authentiscan.attribution import load_attributor
from authentiscan.core.errors import RecipeError, TrainingError
from authentiscan.datasets.open import open_generators
from authentiscan.evaluation.attribution import Measured
from authentiscan.manifest.hold_out import parse_hold_outs
from authentiscan.training.attribution.recipe import load_attribution_recipe, shipped_attribution
from authentiscan.training.attribution.run import AttributionRun, recorded, train_attributor

SMALL = [
    "classes.least=6", "preprocess.size=64", "preprocess.max_crops=1", "augment.degrade=none",
    "draws=2", "batch_size=16", "epochs=12", "lr=0.01", "network.arguments.width=16",
]  # fmt: skip


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> AttributionRun:
    folder = tmp_path_factory.mktemp("attribution")
    data = open_generators(write_generators(folder / "images", images=24, real=16)).manifest
    recipe = load_attribution_recipe("generators-cpu", SMALL)
    return train_attributor(recipe, data, output=folder / "run", device="cpu", leave_one_out=True)


@pytest.mark.slow
def test_a_run_leaves_what_it_should(ran: AttributionRun) -> None:
    left = {str(p.relative_to(ran.folder)) for p in ran.folder.rglob("*") if p.is_file()}
    assert {
        "recipe.yaml", "environment.json", "data.json", "history.csv", "training.png",
        "checkpoints/last.ckpt", "checkpoints/best.ckpt",
        "val/report.txt", "val/confusion.png", "val/results.json",
        "test/report.txt", "test/confusion.png", "test/jpeg-quality.csv", "test/jpeg-quality.png",
        "leave-one-out.txt", "leave-one-out.json", "leave-one-out.png",
        "fingerprints/fingerprints.png", "fingerprints/stripes.png",
        "bundle/model.onnx", "bundle/detector.json", "bundle/README.md",
    } <= left  # fmt: skip
    assert json.loads((ran.folder / "data.json").read_text())["classes"]["train"]["camera"] > 0
    spent = json.loads((ran.folder / "run.json").read_text())
    assert spent["processor_seconds_with_features"] > spent["processor_seconds"] > 0


@pytest.mark.slow
def test_its_bundle_names_new_images(ran: AttributionRun) -> None:
    ready = load_attributor(ran.bundle)
    rng = np.random.default_rng(77)
    for name in GENERATORS:
        said = [ready.attribute(made_by(name, rng)).candidates[0].generator for _ in range(6)]
        assert said.count(name) >= 5, name
    assert ran.test is not None
    assert ran.test.balanced[0] is not None
    assert ran.test.balanced[0] > 0.8
    assert set(ran.test.quality) >= {50, 90}


@pytest.mark.slow
def test_each_generator_was_left_out(ran: AttributionRun) -> None:
    assert ran.left_out is not None
    assert {row.generator for row in ran.left_out.rows} == set(GENERATORS)
    assert 0 <= ran.left_out.auc <= 1


@pytest.mark.slow
def test_the_fingerprint_network_trains_and_resumes(tmp_path: Path) -> None:
    data = open_generators(write_generators(tmp_path / "images", images=16, real=12)).manifest
    small = [
        "classes.least=4", "preprocess.size=64", "epochs=1", "batch_size=8",
        "network.arguments={backbone: mobilenetv3_small_050, width: 8, channels: 4, depth: 1}",
    ]  # fmt: skip
    recipe = load_attribution_recipe("fingerprint-cpu", small)
    first = train_attributor(recipe, data, output=tmp_path / "run", device="cpu")
    assert "tf_efficientnet_lite0" in first.spec.summary
    more = recipe.model_copy(update={"epochs": 2})
    second = train_attributor(more, data, output=tmp_path / "run", resume=True, device="cpu")
    assert [row["epoch"] for row in second.fitted.history] == [1, 2]
    assert second.fitted.history[0] == first.fitted.history[0]
    assert load_attributor(second.bundle).attribute(made_by("dots", np.random.default_rng(0)))


def test_a_bundle_records_each_generator_in_words() -> None:
    row = {"images": 4, "recall": 0.5, "precision": None, "kept": 1.0}
    measured = Measured.model_validate(
        {
            "images": 8, "generators": ("a", "b"), "rows": [{"generator": n, **row} for n in "ab"],
            "accuracy": (0.5, 0.4, 0.6), "balanced": (0.5, 0.4, 0.6), "kept": (0.9, 0.8, 1.0),
            "quality": {50: (0.4, 0.3, 0.5)},
        }
    )  # fmt: skip
    found = recorded(measured, measured, None)
    assert found.part("per generator", "b").value("recall") == 0.5
    assert found.part("per generator", "b").value("precision") is None
    assert str(found.part("test").figures["known accepted"]) == "0.900 (0.800 to 1.000)"
    assert found.part("val").value("balanced accuracy at JPEG quality 50") == 0.4
    assert "unknown, AUC" not in found.part("val").figures


def test_a_folder_with_content_is_not_written_to(tmp_path: Path) -> None:
    data = open_generators(write_generators(tmp_path / "images", images=8)).manifest
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("x")
    with pytest.raises(TrainingError, match="is not empty"):
        train_attributor(load_attribution_recipe("generators-cpu"), data, output=tmp_path / "run")


def test_all_shipped_recipes_are_read() -> None:
    assert set(shipped_attribution()) == {
        "default", "fingerprint", "fingerprint-cpu", "generators", "generators-cpu",
    }  # fmt: skip
    for name in shipped_attribution():
        assert load_attribution_recipe(name).name == name


def test_the_packaged_recipe_names_its_classes_and_sources() -> None:
    path = shipped_attribution()["default"]
    classes = load_attribution_recipe(path).classes
    assert set(classes.together) <= set(classes.only)
    joined = [name for names in classes.together.values() for name in names]
    assert len(joined) == len(set(joined))
    rules = parse_hold_outs([f"@{path.with_name('default-hold-out.txt')}"])
    assert {rule.split for rule in rules} == {"val", "test"}
    assert len({rule.value for rule in rules}) == len(rules)


def test_mistakes_of_a_recipe_are_told_together() -> None:
    with pytest.raises(RecipeError, match="2 mistakes"):
        load_attribution_recipe("generators-cpu", ["lr=-1", "epoch=3"])
    with pytest.raises(RecipeError, match="did you mean 'fingerprint'"):
        load_attribution_recipe("fingerprnt")
