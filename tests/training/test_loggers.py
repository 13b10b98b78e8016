"""Loggers: TensorBoard's files read back; small modules stand in for wandb and mlflow, which do not
belong to this project's environment.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from authentiscan.core.errors import MissingExtraError, UsageError
from authentiscan.training.loggers import Loggers, check

LABELS, SCORES = np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.4, 0.9])
PICTURES = np.zeros((20, 8, 8, 3), np.uint8)


def use(loggers: Loggers) -> None:
    loggers.metrics({"train/loss": 0.5}, 3)
    loggers.metrics({"train/loss": 0.25}, 6)
    loggers.images("train/images", PICTURES, 0)
    loggers.curve("test", LABELS, SCORES)
    loggers.flush()
    loggers.close()


def test_tensorboard_holds_steps_images_and_curves(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    use(Loggers.open(tmp_path, "a run", ()))
    found = EventAccumulator(str(tmp_path / "logs"))
    found.Reload()
    tags = found.Tags()
    assert [(e.step, e.value) for e in found.Scalars("train/loss")] == [(3, 0.5), (6, 0.25)]
    assert any(tag.startswith("train/images") for tag in tags["images"])
    assert any("precision_recall" in tag for tag in tags["tensors"])


def test_unknown_and_missing_loggers_are_told_before_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(UsageError, match="tensorboard, wandb, mlflow"):
        check(["clearml"])
    monkeypatch.setattr("authentiscan.training.loggers.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"authentiscan\[wandb\]"):
        check(["wandb"])
    check(["tensorboard"])


WANDB = """
said = []
class Image:
    def __init__(self, pixels): self.shape = pixels.shape
class plot:
    @staticmethod
    def pr_curve(y_true, y_probas, labels): return ("curve", len(y_true), len(y_probas))
class _Run:
    def log(self, values, step=None): said.append((values, step))
    def finish(self): said.append("finish")
def init(**given):
    said.append(given)
    return _Run()
"""
MLFLOW = """
said = []
def set_tracking_uri(uri): said.append(uri)
def get_experiment_by_name(name): return None
def create_experiment(name, artifact_location): said.append(artifact_location)
def set_experiment(name): said.append(name)
def start_run(run_name): said.append(run_name)
def log_metrics(values, step): said.append((values, step))
def log_image(image, name): said.append((image.shape, name))
def log_dict(values, name): said.append((sorted(values), name))
def end_run(): said.append("end")
"""


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with modules of the form of wandb and mlflow, first on the path."""
    import sys

    for name, text in (("wandb", WANDB), ("mlflow", MLFLOW)):
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_wandb_gets_the_same(modules: Path) -> None:
    check(["wandb"])
    use(Loggers.open(modules, "a run", ("wandb",)))
    import wandb

    first, *logged, last = wandb.said
    assert (first["project"], first["name"]) == ("authentiscan", "a run")
    assert logged[0] == ({"train/loss": 0.5}, 3)
    assert len(logged[2][0]["train/images"]) == 16
    assert logged[3][0]["test/precision_recall"][1:] == (4, 4)
    assert last == "finish"


def test_mlflow_gets_the_same(modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    use(Loggers.open(modules, "a run", ("mlflow",)))
    import mlflow

    assert mlflow.said[0].startswith("sqlite:///")
    assert mlflow.said[1] == (modules / "mlflow").as_uri()
    assert mlflow.said[2:4] == ["authentiscan", "a run"]
    assert ({"train/loss": 0.25}, 6) in mlflow.said
    assert ((8, 128, 3), "train/images-0.png") in mlflow.said
    assert (["x", "y"], "test/precision_recall.json") in mlflow.said
    assert mlflow.said[-1] == "end"
