"""A whole run: it learns, leaves a calibrated bundle, goes on after a kill to the same weights."""

from __future__ import annotations

import csv
import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from authentiscan.core.errors import OutputError, TrainingError, UsageError
from authentiscan.inference import load_detector, read_spec
from authentiscan.training.parts import gather
from authentiscan.training.plan import plan
from authentiscan.training.recipe import Recipe, recipe_sha256
from authentiscan.training.recipe_data import with_data
from authentiscan.training.recipe_file import dump_recipe, load_recipe
from authentiscan.training.run import Result, resume_run, train
from authentiscan.training.runs import latest_run
from authentiscan.training.state import Progress, load_checkpoint, save_checkpoint

MakeRecipe = Callable[..., Recipe]
PHASES = "phases=[{epochs: 2, trained: head, lr: 0.01}, {epochs: 3, trained: last 4}]"


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def weights(folder: Path, name: str = "last.ckpt") -> dict[str, torch.Tensor]:
    return load_checkpoint(folder / "checkpoints" / name)["model"]


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_a_run_learns_and_leaves_everything(tiny: MakeRecipe, toy: Path, tmp_path: Path) -> None:
    recipe = tiny(
        toy, "ema=0.9", "checkpoint.every_epochs=2", "batch_size=8",
        "model.arguments.widths=[16, 32]", epochs=7,
    )  # fmt: skip
    result = train(recipe, output=tmp_path / "run")
    assert result.spec is not None
    figures = result.spec.metrics.part("validation")
    assert figures.value("roc_auc") > 0.9
    tested = result.spec.metrics.part("evaluation", "test")
    assert next(iter(tested.parts.values())).figures["roc_auc"].low > 0.5
    card = (result.bundle / "README.md").read_text()
    assert card.index("### evaluation") < card.index("### validation")
    spec = read_spec(result.bundle)
    assert spec == result.spec
    assert [t.name for t in spec.thresholds] == ["fpr_1", "fpr_5"]
    assert all(t.fpr <= 0.05 for t in spec.thresholds)
    assert spec.decision.real_below <= spec.decision.generated.score
    assert spec.recipe_sha256 == recipe_sha256(recipe)
    assert spec.recipe["data"][0]["path"] == "toy.parquet"  # no folder of this machine
    assert spec.data[0].images == {"train": 120, "val": 40, "test": 40}
    test = gather(recipe, tmp_path / "run").test
    scores = [load_detector(result.bundle).predict(test.image_bytes(i)).score for i in range(40)]
    right = [(s >= 0.5) == bool(y) for s, y in zip(scores, test.labels, strict=True)]
    assert sum(right) >= 30
    folder = result.folder
    for name in (
        "curves.png", "validation_scores.parquet", "test_scores.parquet", "report/report.html",
        *(f"{part}/{picture}.png" for part in ("validation", "test")
          for picture in ("confusion_matrix", "roc", "scores")),
    ):  # fmt: skip
        assert (folder / name).stat().st_size > 100
    figures = (folder / "metrics.txt").read_text()
    assert "\nTEST, raw, 40 images" in figures
    assert f"\n  accuracy             {sum(right) / 40:.4f} [" in figures
    assert "images/s" in figures
    report = (folder / "test" / "classification_report.txt").read_text()
    assert f"    accuracy                         {sum(right) / 40:.4f}        40\n" in report
    seeds = json.loads((folder / "environment.json").read_text())["seeds"]
    assert seeds == {"training": recipe.seed, "split": recipe.split.seed}
    assert sorted(p.name for p in (folder / "checkpoints").iterdir()) == [
        "best.ckpt", "epoch-0002.ckpt", "epoch-0004.ckpt", "epoch-0006.ckpt", "last.ckpt",
    ]  # fmt: skip
    assert not any("chance" in limit for limit in spec.limits)
    assert list((folder / "logs").glob("events*"))
    with (folder / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == [str(i + 1) for i in range(7)]
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])
    assert json.loads((folder / "data.json").read_text())["data"][0]["sha256"]
    assert load_recipe(folder / "recipe.yaml").seed == recipe.seed
    assert latest_run(tmp_path) == folder


@pytest.fixture(scope="module")
def eventful(tiny: MakeRecipe, toy: Path) -> Recipe:
    """All that has a state: phases, averages, plateau, accumulation, dropout, degradations."""
    return tiny(
        toy, PHASES, "ema=0.95", "accumulate=2", "scheduler={name: plateau, patience: 0}",
        "checkpoint.every_steps=2", "gradient_clip=1.0", "monitor=val_loss",
        "optimizer.head_l2=0.001",
        "augment.degrade=resize:scale=0.7..1.3 ?0.5 | jpeg ?0.5",
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(eventful: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """An uninterrupted run."""
    torch.set_num_threads(1)
    return train(eventful, output=tmp_path_factory.mktemp("runs") / "whole", bundle=False)


@pytest.mark.parametrize(("at", "workers"), [(3, 0), (8, 0), (14, 2), (22, 0), (33, 0)])
def test_a_stopped_run_goes_on_to_the_same_weights(
    eventful: Recipe, whole: Result, tmp_path: Path, at: int, workers: int
) -> None:
    """Cut within epochs, at their ends, at the change of phases."""
    recipe = eventful.model_copy(update={"workers": workers})
    cut = train(recipe, output=tmp_path, stop=lambda p: p.total_steps == at)
    assert cut.spec is None
    assert not cut.progress.finished
    assert cut.progress.total_steps == at
    again = resume_run(tmp_path, bundle=False)
    assert again.progress.finished
    assert same(weights(whole.folder), weights(tmp_path))
    assert same(weights(whole.folder, "best.ckpt"), weights(tmp_path, "best.ckpt"))
    strip = ("seconds", "images_per_second")
    records = [
        [{k: v for k, v in row.items() if k not in strip} for row in run.progress.history]
        for run in (whole, again)
    ]
    assert records[0] == records[1]


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_kill_9_and_resume(tiny: MakeRecipe, toy: Path, tmp_path: Path) -> None:
    code = textwrap.dedent(
        f"""
        import torch
        torch.set_num_threads(1)
        from authentiscan.training.recipe_file import load_recipe
        from authentiscan.training.run import train
        train(load_recipe({str(tmp_path / "recipe.yaml")!r}), output={str(tmp_path / "killed")!r})
        """
    )
    recipe = tiny(toy, "checkpoint.every_steps=1", epochs=40)
    (tmp_path / "recipe.yaml").write_text(dump_recipe(recipe))
    process = subprocess.Popen([sys.executable, "-c", code])
    last = tmp_path / "killed" / "checkpoints" / "last.ckpt"
    deadline = time.monotonic() + 300
    while not last.is_file() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert 0 < load_checkpoint(last)["progress"]["total_steps"] < 280
    limit = load_checkpoint(last)["progress"]["total_steps"] + 10
    resumed = train(
        recipe, output=tmp_path / "killed", resume=True, stop=lambda p: p.total_steps == limit
    )
    straight = train(recipe, output=tmp_path / "straight", stop=lambda p: p.total_steps == limit)
    assert resumed.progress.total_steps == straight.progress.total_steps
    assert same(weights(tmp_path / "killed"), weights(tmp_path / "straight"))


@pytest.mark.slow
def test_a_finished_run_can_be_resumed_harmlessly(
    tiny: MakeRecipe, toy: Path, tmp_path: Path
) -> None:
    recipe = tiny(toy, epochs=1)
    first = train(recipe, output=tmp_path / "run")
    again = resume_run(tmp_path / "run")
    assert again.spec is not None
    assert first.spec is not None
    assert again.spec.files == first.spec.files
    assert again.progress.finished
    assert again.progress.best_epoch == first.progress.best_epoch
    (first.bundle / "model.onnx").unlink()  # a bundle that is not whole is made again
    assert resume_run(tmp_path / "run").spec is not None
    assert (first.bundle / "model.onnx").is_file()


def test_early_stopping_ends_the_phase(tiny: MakeRecipe, toy: Path, tmp_path: Path) -> None:
    recipe = tiny(toy, "early_stopping.patience=1", "optimizer.lr=1e-12", "phases.0.epochs=9")
    recipe = recipe.model_copy(update={"monitor": "val_accuracy"})
    lines: list[str] = []

    class Lines:
        def info(self, text: str) -> None:
            lines.append(text)

        def start(self, title: str, total: int, done: int = 0) -> None: ...

        def step(self, text: str = "") -> None: ...

    result = train(recipe, output=tmp_path / "run", reporter=Lines(), bundle=False)
    assert result.progress.total_epochs < 9
    assert any("stopped early" in line for line in lines)


def test_refusals(tiny: MakeRecipe, toy: Path, tmp_path: Path) -> None:
    recipe = tiny(toy, epochs=1)
    busy = tmp_path / "busy"
    busy.mkdir()
    (busy / "file").write_text("x")
    with pytest.raises(TrainingError, match="not empty"):
        train(recipe, output=busy)
    with pytest.raises(TrainingError, match="is no run"):
        resume_run(busy)
    with pytest.raises(TrainingError, match="no run with a checkpoint"):
        latest_run(tmp_path / "nowhere")
    with pytest.raises(TrainingError, match="does not say where images lies"):
        train(load_recipe("quickstart"), output=tmp_path / "a")
    with pytest.raises(TrainingError, match="there is no"):
        train(tiny(tmp_path / "absent.parquet"), output=tmp_path / "b")
    with pytest.raises(TrainingError, match=r"last 400, but the backbone .* has \d+ layers"):
        train(tiny(toy, "phases.0.trained=last 400"), output=tmp_path / "c")
    other = tiny(toy, "seed=3", epochs=1)
    full = train(recipe, output=tmp_path / "e", bundle=False)
    with pytest.raises(TrainingError, match="another recipe"):
        train(other, output=full.folder, resume=True)


def test_a_diverging_run_says_so(tiny: MakeRecipe, toy: Path, tmp_path: Path) -> None:
    recipe = tiny(toy, "optimizer={name: sgd, lr: 1.0e+30}", "scheduler.name=constant")
    with pytest.raises(TrainingError, match=r"loss became .* smaller optimizer\.lr"):
        train(recipe, output=tmp_path / "run")


def test_a_full_disk_is_told_and_the_earlier_checkpoint_stays(tmp_path: Path) -> None:
    path = tmp_path / "run" / "checkpoints" / "last.ckpt"
    save_checkpoint(path, {"model": {"w": torch.ones(3)}})
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OutputError, match=r"cannot write .* MB are needed"):
            save_checkpoint(path, {"model": torch.zeros(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["last.ckpt"]
    path.write_bytes(before[:500])
    with pytest.raises(TrainingError, match="damaged"):
        load_checkpoint(path)


def test_plan_measures_and_writes_nothing(tiny: MakeRecipe, toy: Path, tmp_path: Path) -> None:
    found = plan(tiny(toy))
    assert found.steps_per_epoch == 7
    assert found.per_epoch == {"all": {0: 56, 1: 56}}
    assert found.seconds > 0
    assert list(tmp_path.iterdir()) == []


def test_data_on_the_command_line(toy: Path) -> None:
    recipe = load_recipe("combined")
    with pytest.raises(UsageError, match="say which one as NAME="):
        with_data(recipe, [str(toy)])
    with pytest.raises(UsageError, match="no data set 'faked'"):
        with_data(recipe, ["faked=somewhere"])
    placed = with_data(recipe, [f"cifake={toy}"])
    assert [s.path for s in placed.data] == [None, str(toy), None]
    assert with_data(load_recipe("quickstart"), [str(toy)]).data[0].path == str(toy)


def test_groups_stay_together_across_data_sets(tiny: MakeRecipe, toy: Path, tmp_path: Path) -> None:
    """The same images under two names: no group of one may be in the other's training part."""
    recipe = tiny(toy, f"data=[{{name: a, path: '{toy}'}}, {{name: b, path: '{toy}'}}]")
    shifted = recipe.model_copy(
        update={"split": recipe.split.model_copy(update={"hold_out": ("group=tile 3",)})}
    )
    parts = gather(shifted, tmp_path)
    groups = [set(m.column("group")) for m in (parts.train, parts.val, parts.test)]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert "tile 3" in groups[2]
    assert len(parts.train) == 2 * 119


def test_folders_are_organized(tiny: MakeRecipe, tmp_path: Path, photos: dict[str, object]) -> None:
    from PIL import Image

    for index in range(24):
        tile = photos["coffee"][index * 8 : index * 8 + 64, :64]  # type: ignore[index]
        target = tmp_path / "images" / ("real" if index % 2 else "fake") / f"{index}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(tile).save(target)
    recipe = tiny(tmp_path / "images")
    first = gather(recipe, tmp_path / "run")
    assert len(first.train) + len(first.val) + len(first.test) == 24
    again = gather(recipe, tmp_path / "run")
    assert first.train.sha256() == again.train.sha256()


def test_progress_is_plain() -> None:
    assert json.dumps(Progress().__dict__)
