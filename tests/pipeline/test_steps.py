"""What is skipped, what is gone on with, what is done anew, and why."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from authentiscan.core.errors import OutputError, TrainingError
from authentiscan.inference import read_spec
from authentiscan.inference.update import update_spec
from authentiscan.pipeline.config import PipelineConfig
from authentiscan.pipeline.data import prepare
from authentiscan.pipeline.run import run, steps_of
from authentiscan.pipeline.steps import DONE, CrossStep, GradcamStep, Step, TrainingStep
from authentiscan.training.attempt import attempt
from authentiscan.training.leavings import write_json, write_text
from authentiscan.training.machine import Machine
from authentiscan.training.recipe_file import dump_recipe
from authentiscan.training.reporter import Quiet

MakeConfig = Callable[..., PipelineConfig]
MACHINE = Machine(device="cpu")


class Lines(Quiet):
    """A reporter that keeps what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def steps_for(config: PipelineConfig) -> list[Step]:
    """The steps, the data organized where they were not."""
    return steps_of(config, prepare(config, Path(config.output) / "data", Quiet()), MACHINE)


def trainings(config: PipelineConfig) -> list[TrainingStep]:
    return [step for step in steps_for(config) if isinstance(step, TrainingStep)]


def leave_finished(step: TrainingStep, bundle: Path) -> None:
    """What a finished training step leaves, with the bundle of another detector."""
    shutil.copytree(bundle, step.bundle)
    update_spec(step.bundle, metrics={"validation": {"roc_auc": 0.5, "balanced_accuracy": 0.5}})
    write_text(step.folder / "recipe.yaml", dump_recipe(step.recipe))
    write_text(step.folder / "metrics.txt", "")
    write_json(step.folder / DONE, {"key": step.key, "seconds_per_prediction": 0.01})


def states(config: PipelineConfig) -> dict[str, str]:
    return {step.name: step.status().state for step in steps_for(config)}


def test_the_order_and_names_of_the_steps(make_config: MakeConfig) -> None:
    steps = steps_for(make_config("cross.protocols=[raw, matched]"))
    assert [(step.phase, step.name) for step in steps] == [
        (1, "genimage_baseline"),
        (1, "other_baseline"),
        (2, "combined"),
        (3, "cross-validation, raw"),
        (3, "cross-validation, matched"),
        (4, "Grad-CAM"),
    ]
    assert [step.status().state for step in steps] == ["new"] * 3 + ["waits"] * 3
    assert "genimage_baseline, other_baseline, combined" in steps[3].status().why


def test_a_key_is_of_what_decides_the_weights(make_config: MakeConfig) -> None:
    def keys(config: PipelineConfig) -> list[str]:
        return [step.key for step in trainings(config)]

    first = keys(make_config())
    assert len(set(first)) == 3
    assert keys(make_config("set.workers=2", "set.cache_mb=1", "gradcam.samples=9")) == first
    other = keys(make_config("baselines.other.set={seed: 5}"))
    assert [a == b for a, b in zip(first, other, strict=True)] == [True, False, True]
    config = make_config()
    next((Path(config.data["other"].path) / "real").iterdir()).unlink()
    fewer = keys(config)
    assert [a == b for a, b in zip(first, fewer, strict=True)] == [True, False, False]


def test_finished_interrupted_and_changed_training(
    make_config: MakeConfig, tiny_bundle: Path
) -> None:
    config = make_config()
    _, step, _ = trainings(config)
    step.folder.mkdir(parents=True)
    write_text(step.folder / "recipe.yaml", dump_recipe(step.recipe))
    write_text(step.folder / "history.csv", "epoch,val_loss\n1,0.5\n")
    assert step.status().state == "begun"
    assert "after 1 of 1 epochs" in step.status().why
    shutil.rmtree(step.folder)
    leave_finished(step, tiny_bundle)
    assert states(config)["other_baseline"] == "done"
    changed = make_config("baselines.other.set.seed=5")
    assert states(changed)["other_baseline"] == "new"
    assert states(config)["other_baseline"] == "done", "the earlier run stays"


@pytest.fixture
def trained(make_config: MakeConfig, tiny_bundle: Path) -> PipelineConfig:
    """A configuration whose phases 1 and 2 are done."""
    config = make_config()
    for step in trainings(config):
        leave_finished(step, tiny_bundle)
    return config


@pytest.mark.slow
def test_phases_3_and_4_are_done_once(trained: PipelineConfig, make_config: MakeConfig) -> None:
    summary = run(trained, machine=MACHINE)
    out = Path(trained.output)
    assert not summary.unfinished
    cross, gradcam = out / "cross" / "raw", out / "gradcam"
    for path in (
        cross / "cross.html", cross / "cross.csv", gradcam / "overlap.csv",
        gradcam / "mean_maps.png", out / "summary.html", out / "summary.md",
        out / "bundles" / "genimage_baseline" / "detector.json",
    ):  # fmt: skip
        assert path.is_file(), path
    assert len(list((gradcam / "overlays").glob("*/*/*.png"))) == 3 * 2 * 2
    figures = summary.crosses["raw"]
    assert figures.detectors == ("genimage_baseline", "other_baseline", "combined")
    assert figures.cell("genimage_baseline", "genimage").in_domain
    assert not figures.cell("combined", "other").in_domain
    assert {gap.detector for gap in figures.gaps} == {"genimage_baseline", "other_baseline"}
    assert [facts.images for facts in figures.data] == [
        part.tests
        for part in steps_for(trained)[3].data.values()  # type: ignore[attr-defined]
    ]
    content = json.loads((out / "summary.json").read_text())
    assert content["detectors"]["combined"]["home"] is None
    assert "mistakes" not in content["crosses"]["raw"]["cells"][0]
    page = (out / "summary.html").read_text()
    assert "://" not in page, "nothing is loaded from anywhere"
    assert 'href="cross/raw/cross.html"' in page

    before = (cross / "cross.json").stat().st_mtime_ns
    lines = Lines()
    run(trained, machine=MACHINE, reporter=lines)
    assert sum("skipped" in line for line in lines.lines) == 5
    assert (cross / "cross.json").stat().st_mtime_ns == before

    assert states(make_config("gradcam.samples=4"))["Grad-CAM"] == "new"
    assert states(make_config("cross.bootstrap=30"))["cross-validation, raw"] == "new"
    bundle = trainings(trained)[0].bundle
    noted = read_spec(bundle).metrics.model_copy(update={"facts": {"noted": "1"}})
    update_spec(bundle, metrics=noted)
    assert states(trained)["Grad-CAM"] == "done", "recorded figures decide nothing"
    spec = read_spec(bundle)
    update_spec(bundle, calibration=spec.calibration.model_copy(update={"slope": 2.0}))
    found = states(trained)
    assert found["Grad-CAM"] == found["cross-validation, raw"] == "new"
    only_three = run(trained, phases=(3,), machine=MACHINE)
    assert [step.name for step in only_three.unfinished] == ["Grad-CAM"]
    assert "phase 4, Grad-CAM, is not done" in (out / "summary.md").read_text()


def test_a_phase_alone_needs_those_before(make_config: MakeConfig) -> None:
    with pytest.raises(TrainingError, match=r"phase 3, .* waits for genimage_baseline, .* do phas"):
        run(make_config(), phases=(3,), machine=MACHINE)


def test_two_pipelines_do_not_share_a_folder(make_config: MakeConfig) -> None:
    config = make_config()
    Path(config.output).mkdir()
    with attempt(Path(config.output)), pytest.raises(OutputError, match="another command"):
        run(config, machine=MACHINE)


def test_published_bundles_follow_the_configuration(
    make_config: MakeConfig, tiny_bundle: Path
) -> None:
    config = make_config()
    step = trainings(config)[0]
    leave_finished(step, tiny_bundle)
    step.publish()
    update_spec(step.published, summary="Written into the copy.")
    step.publish()
    assert read_spec(step.published).summary == "Written into the copy."
    other = trainings(make_config("baselines.genimage.set.seed=5"))[0]
    leave_finished(other, tiny_bundle)
    update_spec(other.bundle, created=read_spec(tiny_bundle).created.replace(year=2026))
    other.publish()
    assert read_spec(other.published).summary != "Written into the copy."
    assert read_spec(step.published).created == read_spec(other.bundle).created


def test_kinds(trained: PipelineConfig) -> None:
    kinds = [type(step) for step in steps_for(trained)]
    assert kinds == [TrainingStep] * 3 + [CrossStep, GradcamStep]
