"""A recipe and images in, a run folder with an attributor's bundle out.

RUN/recipe.yaml         as run, with all changes
RUN/environment.json    library versions, device, seed
RUN/data.json           hash of the data, images by class and split, what was left out
RUN/checkpoints/        last.ckpt (whole state), best.ckpt (weights)
RUN/history.csv, training.png
RUN/val/, test/         report.txt, results.json, confusion.png; of test also accuracy against JPEG
                        quality as CSV and curve
RUN/fingerprints/       mean residual and its spectrum of each generator
RUN/leave-one-out.*     where asked for: each generator left out in turn
RUN/bundle/             what `authentiscan scan --attributor` takes
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from authentiscan.attribution import AttributorSpec, load_attributor
from authentiscan.attribution.card import attributor_card
from authentiscan.attribution.spec import write_attributor
from authentiscan.core.errors import TrainingError
from authentiscan.core.files import write_text
from authentiscan.core.progress import Progress
from authentiscan.core.types import CAMERA
from authentiscan.evaluation.attribution import (
    Answers,
    LeftOut,
    LeftOutRow,
    Measured,
    evaluate_attributor,
    left_out_row,
    summarize,
    write_left_out,
    write_results,
)
from authentiscan.evaluation.attribution.measure import QUALITIES, answers_of
from authentiscan.inference.bundle import CARD_FILE
from authentiscan.inference.recorded_metrics import RecordedMetrics
from authentiscan.inference.spec import DataUse
from authentiscan.manifest.table import Manifest
from authentiscan.models.attributor import AttributorNetwork
from authentiscan.models.attributors import create_attributor
from authentiscan.models.fingerprint import FingerprintNetwork
from authentiscan.models.single import FrozenSingleNetwork
from authentiscan.training.attempt import attempt
from authentiscan.training.attribution.classes import Classes, choose_classes
from authentiscan.training.attribution.embed import Embedder
from authentiscan.training.attribution.features import FeatureViews, HeadOnly, feature_views
from authentiscan.training.attribution.finish import Embedded, Finished, finish, save_attributor
from authentiscan.training.attribution.fit import Fitted, fit
from authentiscan.training.attribution.leavings import draw_fingerprints, draw_training
from authentiscan.training.attribution.objectives import FingerprintObjective, Objective
from authentiscan.training.attribution.recipe import AttributionRecipe
from authentiscan.training.attribution.views import ImageViews, refuse_unreadable
from authentiscan.training.leavings import environment, write_history, write_json
from authentiscan.training.reporter import Quiet, Reporter, notices
from authentiscan.training.run_folder import made_folder, new_folder
from authentiscan.training.settings_file import dump_settings

BUNDLE = "bundle"
RECIPE_FILE = "recipe.yaml"

_RECORDED = {
    "accuracy": "accuracy",
    "balanced": "balanced accuracy",
    "kept": "known accepted",
    "auc": "unknown, AUC",
    "oscr": "unknown, OSCR",
    "rejected": "unknown rejected",
    "photographs_named": "photographs named",
}


@dataclass(frozen=True)
class AttributionRun:
    """What a run left: its folder, the bundle's description, figures on val and test images.

    test is None where there are no test images; left_out where it was not asked for.
    """

    folder: Path
    spec: AttributorSpec
    fitted: Fitted
    val: Measured
    test: Measured | None
    left_out: LeftOut | None

    @property
    def bundle(self) -> Path:
        """Folder of the bundle."""
        return self.folder / BUNDLE


def train_attributor(
    recipe: AttributionRecipe,
    data: Manifest,
    *,
    data_name: str = "images",
    output: Path | str | None = None,
    resume: bool = False,
    device: str = "auto",
    leave_one_out: bool = False,
    qualities: Sequence[int] = QUALITIES,
    workers: int = 1,
    reporter: Reporter | None = None,
) -> AttributionRun:
    """Train an attributor as ``recipe`` says on ``data`` and leave its bundle.

    output: the run's folder, which must be new or empty unless ``resume``; by default
    ``runs/<recipe.name>-<time>``. resume: go on from the last checkpoint there, with the same
    recipe and data. leave_one_out: also train without each generator in turn, to measure how it
    meets unknown ones. qualities: JPEG qualities of the curve on test images. Raises TrainingError
    and others of the package's errors.
    """
    shown = reporter or Quiet()
    place = new_folder("runs", recipe.name) if output is None else Path(output)
    folder = made_folder(place, resume=resume)
    with attempt(folder), notices(shown):
        run = _Run(recipe, data, data_name, folder, _device(device), qualities, workers, shown)
        return run.whole(resume=resume, leave_one_out=leave_one_out)


class _Run:
    """One run: what its steps share."""

    def __init__(  # noqa: PLR0917 - `train_attributor`'s own
        self,
        recipe: AttributionRecipe,
        data: Manifest,
        data_name: str,
        folder: Path,
        device: torch.device,
        qualities: Sequence[int],
        workers: int,
        reporter: Reporter,
    ) -> None:
        self.recipe, self.data_name, self.folder = recipe, data_name, folder
        self.device, self.workers, self.reporter = device, workers, reporter
        self.qualities = qualities
        self.classes = choose_classes(data, recipe.classes, seed=recipe.seed)
        self.views = ImageViews(self.classes, recipe)
        self.embedder = Embedder(self.views, self.classes.manifest, reporter)
        self.features: FeatureViews | None = None
        self.perceptual = ""
        self.processor_seconds = 0.0

    def whole(self, *, resume: bool, leave_one_out: bool) -> AttributionRun:
        """All steps, in order."""
        self._tell_data()
        worked = time.process_time()
        network, fitted = self._trained(self.classes, self.folder / "checkpoints", resume=resume)
        self.processor_seconds = round(time.process_time() - worked, 1)
        refuse_unreadable(self.views, len(self.classes.rows("train")))
        write_history(self.folder / "history.csv", fitted.history)
        draw_training(self.folder / "training.png", fitted.history, self.recipe.name)
        finished = self._finished(network, self.classes)
        spec = save_attributor(
            network, finished, self.folder / BUNDLE,
            names=self.classes.names, recipe=self.recipe, data=(self._use(),),
            limits=self._limits(), summary=self._summary(),
        )  # fmt: skip
        val, test = self._measured("val"), self._measured("test")
        assert val is not None
        left_out = self._left_out() if leave_one_out else None
        spec = self._record(spec, fitted, val, test, left_out)
        draw_fingerprints(self.folder / "fingerprints", network, self.classes, self.views)
        return AttributionRun(self.folder, spec, fitted, val, test, left_out)

    def _tell_data(self) -> None:
        names = self.classes.names
        counts = {part: self.classes.counts(part) for part in ("train", "val", "test")}
        smallest = min(names, key=lambda name: counts["train"][name])
        self.reporter.info(
            f"{len(names)} classes, {sum(counts['train'].values()):,} training images; the fewest: "
            f"{counts['train'][smallest]} of {smallest}"
        )
        for what in self.classes.left_out:
            self.reporter.info(f"left out: {what}")
        write_text(self.folder / RECIPE_FILE, dump_settings(self.recipe))
        use = self._use()
        write_json(
            self.folder / "data.json",
            {"name": use.name, "sha256": use.sha256, "classes": counts,
             "left_out": list(self.classes.left_out)},
        )  # fmt: skip
        seeds = {"recipe": self.recipe.seed}
        write_json(self.folder / "environment.json", environment(self.device.type, 1, seeds))

    def _trained(
        self, classes: Classes, checkpoints: Path | None, *, resume: bool = False
    ) -> tuple[AttributorNetwork, Fitted]:
        recipe = self.recipe
        torch.manual_seed(recipe.seed)
        network = create_attributor(
            recipe.network.name, len(classes.names), **recipe.network.arguments
        ).to(self.device)
        learner: nn.Module = network
        source: ImageViews | FeatureViews = self.views
        if isinstance(network, FrozenSingleNetwork):
            learner, source = HeadOnly(network), self._features(network, classes)
        elif classes is not self.classes:
            source = ImageViews(classes, recipe)
        fitted = fit(
            learner, self._objective(network, learner, classes), source, classes, recipe,
            folder=checkpoints, resume=resume, reporter=self.reporter,
        )  # fmt: skip
        network.eval().requires_grad_(True)
        return network, fitted

    def _objective(
        self, network: AttributorNetwork, learner: nn.Module, classes: Classes
    ) -> Objective:
        if not isinstance(network, FingerprintNetwork):
            return Objective(learner, self.recipe)
        photographs = classes.names.index(CAMERA) if CAMERA in classes.names else None
        if photographs is None and self.recipe.loss.adversarial:
            self.reporter.info(
                "note: there are no photographs in the data, so the discriminator rests; give a "
                "folder real/ beside the generators"
            )
        objective = FingerprintObjective(network, self.recipe, photographs)
        self.perceptual = objective.perceptual.backbone if objective.perceptual else ""
        return objective

    def _features(self, network: FrozenSingleNetwork, classes: Classes) -> FeatureViews:
        """Computed once; without a class where one is left out."""
        if self.features is None:
            self.features = feature_views(
                network, self.views, self.classes, self.recipe, self.reporter
            )
        if classes is self.classes:
            return self.features
        (gone,) = set(self.classes.names) - set(classes.names)
        return self.features.without(self.classes.names.index(gone))

    def _finished(self, network: AttributorNetwork, classes: Classes) -> Finished:
        train, val = (self._embedded(network, classes, part) for part in ("train", "val"))
        factors, constants = (
            part.detach().cpu().numpy().astype(np.float64)
            for part in (network.classifier.weight, network.classifier.bias)
        )
        return finish(train, val, len(classes.names), (factors, constants))

    def _embedded(self, network: AttributorNetwork, classes: Classes, part: str) -> Embedded:
        rows, values = self.embedder(network, classes.rows(part))
        return Embedded(values, classes.codes[rows])

    def _measured(self, part: str) -> Measured | None:
        rows = self.classes.rows(part)
        counts = self.classes.counts(part)
        if not any(count for name, count in counts.items() if name != CAMERA):
            return None
        attributor = load_attributor(self.folder / BUNDLE)
        measured = evaluate_attributor(
            attributor, self.classes.manifest.take(rows),
            qualities=self.qualities if part == "test" else (), seed=self.recipe.seed,
            workers=self.workers, history=self.views.history, stages=self._stage,
        )  # fmt: skip
        write_results(self.folder / part, measured, f"{self.recipe.name}: {part} images")
        return measured

    def _stage(self, title: str) -> Progress:
        begun = False

        def update(done: int, total: int | None) -> None:
            nonlocal begun
            if not begun:
                self.reporter.start(title, total or 0, done - 1)
                begun = True
            self.reporter.step()

        return update

    def _left_out(self) -> LeftOut:
        generators = [name for name in self.classes.names if name != CAMERA]
        if len(generators) < 3 or not len(self.classes.rows("test")):
            raise TrainingError(
                "leaving one generator out needs 3 generators or more, and test images of them"
            )
        found = summarize([self._without(name) for name in generators])
        write_left_out(self.folder, found)
        return found

    def _without(self, name: str) -> LeftOutRow:
        """Train without ``name``; its images against test images of the others."""
        self.reporter.info(f"without {name}")
        classes = self.classes.without(name)
        network, _ = self._trained(classes, None)
        finished = self._finished(network, classes)
        test = [row for row in classes.rows("test") if classes.names[classes.codes[row]] != CAMERA]
        mine = np.flatnonzero(self.classes.codes == self.classes.names.index(name))
        groups = self.classes.manifest.column("group")

        def answered(rows: Sequence[int] | NDArray[np.intp]) -> Answers:
            read, values = self.embedder(network, rows)
            truth = [name if c < 0 else classes.names[c] for c in classes.codes[read].tolist()]
            return answers_of(
                finished.squared(values), classes.names, finished.distances, truth,
                [groups[row] for row in read],
            )  # fmt: skip

        return left_out_row(
            name, answered(test), answered(mine), self.recipe.least_fit, seed=self.recipe.seed
        )

    def _record(
        self,
        spec: AttributorSpec,
        fitted: Fitted,
        val: Measured,
        test: Measured | None,
        left_out: LeftOut | None,
    ) -> AttributorSpec:
        """The figures in the bundle's description and card."""
        metrics = recorded(val, test, left_out)
        written = write_attributor(
            self.folder / BUNDLE, spec.model_copy(update={"metrics": metrics})
        )
        write_text(self.folder / BUNDLE / CARD_FILE, attributor_card(written))
        spent = {"processor_seconds_with_features": self.processor_seconds}
        write_json(self.folder / "run.json", {**asdict(fitted), **spent, "history": "history.csv"})
        return written

    def _use(self) -> DataUse:
        manifest = self.classes.manifest
        images = {part: len(self.classes.rows(part)) for part in ("train", "val", "test")}
        return DataUse(name=self.data_name, sha256=manifest.sha256(), images=images)

    def _limits(self) -> tuple[str, ...]:
        fewest = min(self.classes.counts("train").items(), key=lambda pair: pair[1])
        return (
            *self.recipe.limits,
            f"The fewest training images: {fewest[1]} of {fewest[0]}.",
        )

    def _summary(self) -> str:
        text = self.recipe.summary
        if self.perceptual:
            text += f" Perceptual loss by the features of {self.perceptual}."
        return text.strip()


def recorded(val: Measured, test: Measured | None, left_out: LeftOut | None) -> RecordedMetrics:
    """What a bundle says was measured; recall and precision of each generator on test images."""
    found: dict[str, object] = {}
    if test is not None:
        found["test"] = _figures(test)
        found["per generator"] = {
            row.generator: {"images": row.images, "recall": row.recall, "precision": row.precision}
            for row in test.rows
        }
    found["val"] = _figures(val)
    if left_out is not None:
        found["one generator left out"] = {
            "unknown, AUC": left_out.auc,
            "unknown, OSCR": left_out.oscr,
            "unknown rejected": left_out.rejected,
            "hardest": left_out.worst,
        }
    return RecordedMetrics.read(found)


def _figures(part: Measured) -> dict[str, object]:
    named = {name: getattr(part, key) for key, name in _RECORDED.items()}
    named |= {f"balanced accuracy at JPEG quality {q}": v for q, v in part.quality.items()}
    figures = {
        name: dict(zip(("value", "low", "high"), value, strict=True))
        for name, value in named.items()
        if value is not None
    }
    return {"images": part.images, **figures}


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0][:120]
        raise TrainingError(f"device {name!r} cannot be used here: {reason}") from error
    return device
