"""`train`: a recipe in, a run folder with a calibrated bundle out.

RUN/recipe.yaml         as run, with all defaults and changes
RUN/environment.json    library versions, device, seeds
RUN/data.json           what was read: hashes, images by data set, split and class
RUN/checkpoints/        last.ckpt (whole state), best.ckpt (weights), epoch-NNNN.ckpt
RUN/logs/               TensorBoard
RUN/error.txt           what the last attempt failed with, if it did
RUN/history.csv, curves*.png, metrics.txt, validation_scores.parquet, test_scores.parquet
RUN/validation/, test/  classification report, confusion matrix, ROC curve, distribution of scores
RUN/report/             the page of `authentiscan evaluate` on the test part
RUN/before_after.csv, .md   where training started from a bundle: what was gained and forgotten
RUN/bundle/             what `authentiscan scan --model` takes
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning.fabric import Fabric

from authentiscan import models
from authentiscan.core.errors import BundleError, TrainingError
from authentiscan.core.files import expanded, write_text
from authentiscan.core.types import JsonObject
from authentiscan.evaluation.scores import ScoreTable
from authentiscan.inference.bundle import read_spec
from authentiscan.inference.spec import DetectorSpec
from authentiscan.inference.update import update_spec
from authentiscan.manifest.history import observe_history
from authentiscan.models.base import ImageClassifier
from authentiscan.training.attempt import attempt
from authentiscan.training.before_after import Change, measure_changes, summary, write_changes
from authentiscan.training.continual import start_model
from authentiscan.training.data_audit import DataAudit, audit_data
from authentiscan.training.deploy import deploy
from authentiscan.training.engine import Engine
from authentiscan.training.feeding import Feeder, TrainingData
from authentiscan.training.fixed import head_only
from authentiscan.training.leavings import (
    draw_phase_curves,
    environment,
    write_history,
    write_json,
)
from authentiscan.training.loaders import Collate, TrainingImages, ValidationImages
from authentiscan.training.loggers import Loggers
from authentiscan.training.loggers import check as check_loggers
from authentiscan.training.machine import THIS_ONE, Machine, is_first_process, open_fabric
from authentiscan.training.measured import measure_test, metrics_text, write_part
from authentiscan.training.parts import SOURCE, Parts, gather
from authentiscan.training.recipe import Recipe
from authentiscan.training.recipe_data import check_paths
from authentiscan.training.recipe_file import dump_recipe, load_recipe
from authentiscan.training.reporter import Quiet, Reporter, notices, stretch
from authentiscan.training.run_folder import made_folder, new_folder
from authentiscan.training.runs import json_of, read_run
from authentiscan.training.sampling import EpochPlan
from authentiscan.training.state import Progress

RECIPE_FILE, DATA_FILE, BUNDLE = "recipe.yaml", "data.json", "bundle"
FEATURES = ".features"
"""Below a recipe's outputs: what `feature_cache` keeps."""


@dataclass(frozen=True)
class Result:
    """What `train` did: the run's folder, its bundle (None where stopped early) and how it went.

    changes: where it started from a bundle, what was gained and forgotten. audit: of the training
    images, None where it was not asked for.
    """

    folder: Path
    progress: Progress
    spec: DetectorSpec | None
    changes: tuple[Change, ...] = ()
    audit: DataAudit | None = None

    @property
    def bundle(self) -> Path:
        """Folder of the bundle."""
        return self.folder / BUNDLE

    @property
    def page(self) -> Path | None:
        """The report on the test part; None where there was none."""
        page = self.folder / "report" / "report.html"
        return page if page.is_file() else None


def train(
    recipe: Recipe,
    *,
    output: Path | str | None = None,
    resume: bool = False,
    machine: Machine = THIS_ONE,
    reporter: Reporter | None = None,
    stop: Callable[[Progress], bool] | None = None,
    bundle: bool = True,
    loggers: Sequence[str] = (),
    audit: bool = False,
) -> Result:
    """Train as ``recipe`` says and leave a calibrated bundle.

    output: the run's folder, which must be new or empty unless ``resume``; by default
    ``<recipe.outputs>/<name>-<time>``. resume: go on from the last checkpoint in ``output``; the
    weights become what they would have become without the interruption (bit for bit on a CPU in
    float32).
    stop: asked after every step; ends the run early without a bundle. bundle: False leaves only the
    checkpoints, for runs that are only compared. loggers: besides TensorBoard's, of
    `authentiscan.training.loggers`. audit: look for shortcuts in the training images first.

    Raises TrainingError, UsageError, ManifestError and others of the package's errors.
    """
    reporter = reporter or Quiet()
    check_loggers(loggers)
    recipe = _with_absolute_paths(recipe)
    check_paths(recipe)
    chosen = None
    if is_first_process():
        place = new_folder(recipe.outputs, recipe.name) if output is None else Path(output)
        chosen = made_folder(place, resume=resume)
    fabric = open_fabric(recipe, machine, reporter)
    folder = Path(fabric.broadcast(str(chosen)))  # its name holds a time: one process decides
    wishes = _Wishes(machine, reporter, stop, tuple(loggers), resume, bundle, audit)
    with attempt(folder, leads=fabric.is_global_zero):
        return _train(recipe, folder, fabric, wishes)


class _Wishes(NamedTuple):
    """What `train` was asked for beside the recipe."""

    machine: Machine
    reporter: Reporter
    stop: Callable[[Progress], bool] | None
    loggers: tuple[str, ...]
    resume: bool
    bundle: bool
    audit: bool


def _train(recipe: Recipe, folder: Path, fabric: Fabric, wishes: _Wishes) -> Result:
    leads, reporter = fabric.is_global_zero, wishes.reporter
    if leads:
        write_text(folder / RECIPE_FILE, dump_recipe(recipe))
        write_json(folder / "environment.json", _environment(recipe, fabric))
    loggers = Loggers.open(folder, recipe.name, wishes.loggers) if leads else None
    engine, parts, model = make_engine(
        recipe, folder, fabric, reporter, wishes.machine.readers, loggers
    )
    audited = _audited(parts, recipe, wishes) if leads else None
    if leads:
        use = [use.model_dump() for use in parts.used]
        found = {"audit": audited.model_dump()} if audited else {}
        write_json(folder / DATA_FILE, {"data": use, "images": parts.table(), **found})
        reporter.info(f"figures while it works: tensorboard --logdir {folder / 'logs'}")
    if wishes.resume and engine.resume():
        at = engine.progress
        reporter.info(f"going on after {at.total_epochs} epochs and {at.step} steps of the next")
    try:
        with notices(reporter):
            progress = engine.fit(wishes.stop)
        result = Result(folder, progress, None, audit=audited)
        if not progress.finished or not wishes.bundle:
            return result
        if leads:  # the others need not wait: they would give up before a long scoring
            left = _leave(engine, model, parts, reporter, audited)
            result = replace(left, audit=audited)
        return result
    finally:
        engine.log.close()


def _audited(parts: Parts, recipe: Recipe, wishes: _Wishes) -> DataAudit | None:
    if not wishes.audit:
        return None
    wishes.reporter.info("looking for shortcuts in the training images")
    found = audit_data(parts, recipe, workers=wishes.machine.readers)
    for line in found.lines() if found.giveaways or found.problem else ():
        wishes.reporter.info(f"warning: {line}")
    return found


def resume_run(folder: Path | str, **options: Any) -> Result:
    """Go on with the run in ``folder``, by the recipe it began with; options as of `train`.

    A run that is finished and whole is left as it is.
    """
    path = Path(folder) / RECIPE_FILE
    if not path.is_file():
        raise TrainingError(f"{folder} is no run: it has no {RECIPE_FILE}")
    done = finished(folder)
    return done or train(load_recipe(path), output=folder, resume=True, **options)


def finished(folder: Path | str) -> Result | None:
    """What the run in ``folder`` left; None where something of it remains to be done."""
    run = read_run(folder)
    if run.state != "finished":
        return None
    try:
        spec = read_spec(run.folder / BUNDLE)
    except BundleError:
        return None
    audit = json_of(run.folder / DATA_FILE).get("audit")
    return Result(
        run.folder,
        Progress(total_epochs=run.epochs, best_epoch=run.best_epoch or 0, finished=True),
        spec,
        audit=DataAudit.model_validate(audit) if audit else None,
    )


def _with_absolute_paths(recipe: Recipe) -> Recipe:
    """So that the recipe left in the run's folder works from any folder."""
    sources = tuple(
        s if s.path is None else s.model_copy(update={"path": str(expanded(s.path).resolve())})
        for s in recipe.data
    )
    return recipe.model_copy(update={"data": sources})


def make_engine(  # noqa: PLR0917 - all of them different things
    recipe: Recipe,
    folder: Path,
    fabric: Fabric,
    reporter: Reporter,
    readers: int,
    loggers: Loggers | None = None,
) -> tuple[Engine, Parts, ImageClassifier]:
    """The engine, the data, and the whole model, whose head alone the engine may hold."""
    with notices(reporter), fabric.rank_zero_first():
        parts = gather(recipe, folder, processes=readers)
    torch.manual_seed(recipe.seed)  # first weights
    with notices(reporter):
        model = _model(recipe)
    history = observe_history(parts.train, sample=1000, seed=recipe.seed)
    shared: JsonObject = {"seed": recipe.seed, "history": history}
    shares = {s.name: s.share for s in recipe.data if s.share is not None}
    data = TrainingData(
        train=TrainingImages(
            parts.train,
            recipe.preprocess,
            recipe.augment,
            cache_bytes=recipe.cache_mb << 20,
            **shared,
        ),
        val=ValidationImages(parts.val, recipe.preprocess, recipe.augment, **shared),
        plan=EpochPlan(
            parts.train.labels,
            parts.train.column(SOURCE),
            parts.train.column(recipe.sampling.by),
            recipe.sampling,
            shares=shares or None,
            batch_size=recipe.batch_size,
            seed=recipe.seed,
        ),
        collate=Collate(recipe.preprocess),
    )
    learner = model
    if recipe.feature_draws:
        feeder = Feeder(recipe, data.collate, fabric)
        kept = Path(recipe.outputs) / FEATURES if recipe.feature_cache else None
        learner, data = head_only(model, data, feeder, recipe.feature_draws, reporter, kept=kept)
    return Engine(recipe, learner, data, folder, fabric, reporter, loggers), parts, model


def _environment(recipe: Recipe, fabric: Fabric) -> JsonObject:
    seeds = {"training": recipe.seed, "split": recipe.split.seed}
    return environment(str(fabric.device), fabric.world_size, seeds)


def _model(recipe: Recipe) -> ImageClassifier:
    if recipe.start is not None:
        return start_model(recipe)
    return models.create(recipe.model.name, **recipe.model.arguments)


def _leave(
    engine: Engine,
    model: ImageClassifier,
    parts: Parts,
    reporter: Reporter,
    audited: DataAudit | None,
) -> Result:
    folder, recipe, progress = engine.folder.parent, engine.recipe, engine.progress
    write_history(folder / "history.csv", progress.history)
    draw_phase_curves(folder, progress.history, recipe.name)
    reporter.info("writing the bundle")
    spec, scores = deploy(
        recipe,
        model,
        parts,
        folder / BUNDLE,
        stretch(reporter, "scoring the validation part with the bundle"),
        limits=audited.limits() if audited else (),
    )
    engine.log.curve("validation", scores.labels, scores.scores)
    scores.write(folder / "validation_scores.parquet")
    write_part(folder / "validation", scores, spec)
    tested = measure_test(folder, folder / BUNDLE, parts.test, recipe, reporter)
    if len(parts.test):
        table = ScoreTable.read(folder / "test_scores.parquet").scored()
        engine.log.curve("test", table.labels, table.scores)
    spec = read_spec(folder / BUNDLE)
    write_text(folder / "metrics.txt", metrics_text(spec, progress, parts.table(), tested))
    result = Result(folder, progress, spec)
    return result if recipe.start is None else _beside_parent(recipe, parts, result, reporter)


def _beside_parent(recipe: Recipe, parts: Parts, result: Result, reporter: Reporter) -> Result:
    """Measure what was gained and forgotten; it stands in the bundle's description too."""
    shown = stretch(reporter, "before and after")
    changes = measure_changes(recipe, parts, result.bundle, shown)
    spec = read_spec(result.bundle)
    write_changes(result.folder, changes, f"{spec.name} beside {spec.lineage[-1].name}")
    spec = update_spec(
        result.bundle, metrics=spec.metrics.with_part("before_and_after", summary(changes))
    )
    return replace(result, spec=spec, changes=tuple(changes))
