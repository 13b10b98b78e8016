"""The loop: it learns, stops early, keeps what is best, and resumes to the same weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import Tensor, nn

from authentiscan.core.errors import TrainingError
from authentiscan.manifest.table import Manifest
from authentiscan.models.fingerprint import FingerprintNetwork
from authentiscan.training.attribution.classes import Classes
from authentiscan.training.attribution.fit import fit
from authentiscan.training.attribution.objectives import (
    FingerprintObjective,
    Objective,
    consistency,
)
from authentiscan.training.attribution.recipe import AttributionRecipe, load_attribution_recipe
from authentiscan.training.attribution.views import Views
from authentiscan.training.reporter import Quiet, Reporter
from authentiscan.training.state import BEST, LAST


def recipe(*changes: str) -> AttributionRecipe:
    return load_attribution_recipe("generators-cpu", ["batch_size=16", "epochs=6", *changes])


def classes(count: int = 40) -> Classes:
    total = 3 * count
    split = (["train"] * 3 + ["val"]) * (total // 4)
    table = {
        "path": ["x"] * total,
        "label": [1] * total,
        "generator": ["g"] * total,
        "dataset": ["d"] * total,
        "group": ["g"] * total,
        "split": split,
    }
    return Classes(("a", "b", "c"), Manifest(pa.table(table)), np.arange(total) % 3, ())


class Points:
    """Two noisy views of points about three centres."""

    def __init__(self, chosen: Classes) -> None:
        self.classes = chosen
        rng = np.random.default_rng(0)
        centres = 3 * np.eye(3)[:, [0, 1, 2, 0, 1]]
        self.points = (centres[chosen.codes] + rng.normal(0, 0.5, (len(chosen.codes), 5))).astype(
            np.float32
        )

    def pairs(self, rows: np.ndarray, epoch: int) -> Iterator[Views]:
        rng = np.random.default_rng(epoch)
        for start in range(0, len(rows), 16):
            part = rows[start : start + 16]
            one, two = (
                torch.from_numpy(
                    self.points[part] + rng.normal(0, 0.1, (len(part), 5)).astype(np.float32)
                )
                for _ in range(2)
            )
            yield Views(one, two, torch.from_numpy(self.classes.codes[part]))

    def validation(self) -> Iterator[tuple[Tensor, Tensor]]:
        rows = self.classes.rows("val")
        yield torch.from_numpy(self.points[rows]), torch.from_numpy(self.classes.codes[rows])


def fitted(
    folder: Path | None, *changes: str, resume: bool = False, reporter: Reporter | None = None
) -> tuple[nn.Module, object]:
    torch.manual_seed(0)
    chosen = classes()
    learner = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))
    settings = recipe(*changes)
    objective = Objective(learner, settings)
    return learner, fit(
        learner, objective, Points(chosen), chosen, settings,
        folder=folder, resume=resume, reporter=reporter or Quiet(),
    )  # fmt: skip


def test_it_learns_and_says_how_it_went(tmp_path: Path) -> None:
    _, state = fitted(tmp_path, "lr=0.02", "epochs=12")
    assert state.best > 0.9
    assert [row["epoch"] for row in state.history] == list(range(1, len(state.history) + 1))
    assert {"classification", "consistency", "val_balanced_accuracy"} <= set(state.history[0])
    assert (tmp_path / LAST).is_file()
    assert (tmp_path / BEST).is_file()


def test_hours_end_a_run_and_the_same_run_gives_the_same_weights(tmp_path: Path) -> None:
    one, _ = fitted(None, "lr=0.02", "patience=99")
    two, state = fitted(None, "lr=0.02", "patience=99")
    assert state.ended == "all 6 epochs done"
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(a, b)
    _, ended = fitted(tmp_path, "hours=1e-9")
    assert ended.ended == "1e-09 hours are over"
    assert ended.epoch == 1
    _, spent = fitted(tmp_path / "other", "processor_hours=1e-9")
    assert spent.ended == "1e-09 hours of processor time are spent"
    assert (spent.epoch, spent.processor_seconds > 0) == (1, True)


def test_a_resumed_run_goes_on_from_its_last_epoch(tmp_path: Path) -> None:
    whole, _ = fitted(None, "lr=0.02", "patience=99")
    short = recipe("lr=0.02", "patience=99")

    class Stops(Points):
        def pairs(self, rows: np.ndarray, epoch: int) -> Iterator[Views]:
            if epoch == 3:
                raise KeyboardInterrupt
            yield from super().pairs(rows, epoch)

    torch.manual_seed(0)
    learner = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))
    with pytest.raises(KeyboardInterrupt):
        fit(
            learner, Objective(learner, short), Stops(classes()), classes(), short,
            folder=tmp_path, reporter=Quiet(),
        )  # fmt: skip
    resumed, state = fitted(tmp_path, "lr=0.02", "patience=99", resume=True)
    assert state.epoch == 6
    for one, two in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, two)

    class Lines(Quiet):
        def info(self, text: str) -> None:
            said.append(text)

    said: list[str] = []
    fitted(tmp_path, "lr=0.02", "patience=99", resume=True, reporter=Lines())
    assert said == ["training was finished before (all 6 epochs done): only measured again"]


def test_it_stops_when_nothing_gets_better() -> None:
    _, state = fitted(None, "lr=1e-9", "epochs=50", "patience=2")
    assert state.ended == "no better for 2 epochs"
    assert state.epoch < 10


def test_a_loss_that_is_no_number_is_told() -> None:
    with pytest.raises(TrainingError, match="smaller learning rate"):
        fitted(None, "lr=1e30", "epochs=50", "patience=50")


def test_consistency_is_none_for_equal_answers() -> None:
    logits = torch.randn(5, 4)
    assert consistency(logits, logits) == pytest.approx(0, abs=1e-6)
    apart = consistency(torch.eye(4) * 9, torch.eye(4).roll(1, 0) * 9)
    assert 0.5 < float(apart) <= np.log(2) + 1e-6


def views(codes: list[int]) -> Views:
    torch.manual_seed(1)
    return Views(
        torch.rand(len(codes), 3, 32, 32), torch.rand(len(codes), 3, 32, 32), torch.tensor(codes)
    )


@pytest.mark.parametrize("photographs", [2, None])
def test_a_fingerprint_step_moves_the_parts_it_should(photographs: int | None) -> None:
    settings = load_attribution_recipe("fingerprint-cpu")
    torch.manual_seed(0)
    network = FingerprintNetwork(3, "mobilenetv3_small_050", width=8, channels=4, depth=1).train()
    objective = FingerprintObjective(network, settings, photographs)
    before = {n: p.detach().clone() for n, p in network.named_parameters()}
    judge = [p.detach().clone() for p in objective.discriminator.parameters()]
    parts = objective.step(views([0, 1, 2, 2]))
    wanted = {"classification", "consistency", "perceptual", "magnitude"}
    if photographs is not None:
        wanted |= {"adversarial", "discriminator"}
    assert set(parts) == wanted
    moved = {n for n, p in network.named_parameters() if not torch.equal(p, before[n])}
    assert {"extractor.out.weight", "project.weight", "classifier.weight"} <= moved
    judged = any(
        not torch.equal(a, b)
        for a, b in zip(judge, objective.discriminator.parameters(), strict=True)
    )
    assert judged == (photographs is not None)
    other = FingerprintObjective(network, settings, photographs)
    other.load(objective.state())
    assert all(
        torch.equal(a, b)
        for a, b in zip(
            objective.discriminator.parameters(), other.discriminator.parameters(), strict=True
        )
    )
