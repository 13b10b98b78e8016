"""Search for a recipe's settings with Optuna (Akiba et al. 2019), the extra ``sweep``.

FOLDER/study.log     the study, from which the same call goes on
FOLDER/trial-NNN/    a run each: recipe, history; checkpoints of the best one alone
FOLDER/best.yaml     the recipe with the best settings, to be trained by `authentiscan train`
FOLDER/sweep.json, sweep.html, sweep.md

Trials are judged by the recipe's ``monitor`` on the validation part, which is thereby used up: the
best trial's figure is kind, and only the test part of the final run says how good it is. A trial
that falls behind the median of the others is ended early.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from authentiscan.core.errors import MissingExtraError, TrainingError, UsageError
from authentiscan.core.files import write_text
from authentiscan.core.records import Record
from authentiscan.report.page import Page, Picture, Section
from authentiscan.report.tables import Table
from authentiscan.training.recipe import Recipe, recipe_sha256
from authentiscan.training.recipe_file import dump_recipe
from authentiscan.training.run import Result
from authentiscan.training.state import Progress

if TYPE_CHECKING:
    import optuna
    from matplotlib.figure import Figure

_RANGE = re.compile(r"\s*([^,\s]+?)\s*\.\.\s*([^,\s]+)\s*$")
_LOG_FROM = 10.0  # a range that spans this factor is searched by orders of magnitude
_FIRST_TRIALS = 4  # before any trial is ended early


@dataclass(frozen=True, slots=True)
class Dimension:
    """One setting to search. choices: its values, or None for the range from ``low`` to ``high``.

    log: by orders of magnitude. whole: integers alone.
    """

    key: str
    choices: tuple[str | int | float, ...] | None = None
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False

    @classmethod
    def parse(cls, text: str) -> Dimension:
        """Read ``optimizer.lr=1e-5..1e-2`` or ``batch_size=16,32,64``. Raises UsageError."""
        key, equals, value = (part.strip() for part in text.partition("="))
        example = "such as optimizer.lr=1e-5..1e-2 or batch_size=16,32,64"
        if not equals or not key or not value:
            raise UsageError(f"--sweep {text}: expected KEY=LOW..HIGH or KEY=A,B,C, {example}")
        found = _RANGE.match(value)
        if not found:
            choices = tuple(yaml.safe_load(part.strip()) for part in value.split(","))
            if len(choices) < 2 or not all(isinstance(c, str | int | float) for c in choices):
                raise UsageError(f"--sweep {text}: give two or more plain values, {example}")
            return cls(key, choices)
        try:
            low, high = float(found[1]), float(found[2])
        except ValueError:
            raise UsageError(f"--sweep {text}: the ends are no numbers, {example}") from None
        if not low < high:
            raise UsageError(f"--sweep {text}: {found[1]} is not under {found[2]}")
        whole = all(re.fullmatch(r"-?\d+", end) for end in found.groups())
        return cls(key, None, low, high, low > 0 and high / low >= _LOG_FROM, whole)

    def suggest(self, trial: optuna.Trial) -> object:
        """A value for ``trial``."""
        if self.choices is not None:
            return trial.suggest_categorical(self.key, self.choices)
        if self.whole:
            return trial.suggest_int(self.key, int(self.low), int(self.high), log=self.log)
        return trial.suggest_float(self.key, self.low, self.high, log=self.log)


class Trial(Record):
    """One trial. state: ``complete``, ``pruned`` (ended early) or ``fail``; value: its figure."""

    number: int
    state: str
    value: float | None
    settings: dict[str, str | int | float | bool]


class Sweep(Record):
    """What a sweep found. importances: share of the figure's variance that a setting explains."""

    recipe: str
    monitor: str
    best: Trial
    trials: tuple[Trial, ...]
    importances: dict[str, float]

    def changes(self) -> list[str]:
        """The best settings as ``--set`` takes them."""
        return [f"{key}={value}" for key, value in self.best.settings.items()]


Make = Callable[[Sequence[str]], Recipe]
"""Makes the recipe with changes such as ``optimizer.lr=1e-4``."""
Train = Callable[[Recipe, Path, Callable[[Progress], bool]], Result]
"""Trains a recipe into a folder without a bundle, asking whether to stop."""


def sweep(  # noqa: PLR0917 - all of them different things
    make: Make,
    space: Sequence[Dimension],
    trials: int,
    folder: Path,
    train: Train,
    info: Callable[[str], None],
) -> Sweep:
    """Run trials until ``folder`` holds ``trials`` of them, and write what was found.

    Raises MissingExtraError without Optuna, UsageError and RecipeError for settings that the recipe
    does not take, TrainingError where the folder's study is of another recipe or no trial ended.
    """
    if find_spec("optuna") is None:
        raise MissingExtraError("--sweep", "sweep")
    base = make([])
    for dimension in space:  # a key that the recipe does not have is told before the first trial
        ends = dimension.choices or (dimension.low, dimension.high)
        for end in ends:
            make([f"{dimension.key}={int(end) if dimension.whole else end}"])
    study = _study(folder, base, space)
    search = _Search(make, space, folder, train, info, base)
    left = trials - sum(trial.state.is_finished() for trial in study.trials)
    if left > 0:
        study.optimize(search, n_trials=left, catch=(TrainingError,))
    else:
        info(f"all {trials} trials were made before; --trials says how many")
    return search.finish(study)


class _Search:
    """The objective, and what is left of each trial."""

    def __init__(  # noqa: PLR0917 - `sweep`'s own
        self,
        make: Make,
        space: Sequence[Dimension],
        folder: Path,
        train: Train,
        info: Callable[[str], None],
        base: Recipe,
    ) -> None:
        self._make, self._space, self._folder = make, space, folder
        self._train, self._info, self._base = train, info, base

    def __call__(self, trial: optuna.Trial) -> float:
        import optuna

        settings = {d.key: d.suggest(trial) for d in self._space}
        recipe = self._make([f"{key}={value}" for key, value in settings.items()])
        place = self._folder / f"trial-{trial.number:03d}"
        self._info(f"trial {trial.number}: {_shown(settings)}")
        judge = _Judge(trial, recipe.monitor)
        try:
            result = self._train(recipe, place, judge)
        finally:
            shutil.rmtree(place / "checkpoints", ignore_errors=True)
        if judge.pruned:
            raise optuna.TrialPruned
        if result.progress.best is None:
            raise TrainingError(f"trial {trial.number} made no epoch")
        return result.progress.best

    def finish(self, study: optuna.Study) -> Sweep:
        """Write the study's findings; raises TrainingError where no trial came to its end."""
        found = _findings(study, self._base)
        write_text(self._folder / "sweep.json", found.model_dump_json(indent=2) + "\n")
        best = self._make(found.changes())
        write_text(self._folder / "best.yaml", dump_recipe(best))
        _page(found).write(self._folder, "sweep")
        return found


class _Judge:
    """Asked after every step whether the trial is hopeless; it can only tell after an epoch."""

    def __init__(self, trial: optuna.Trial, monitor: str) -> None:
        self._trial, self._monitor, self._seen = trial, monitor, 0
        self.pruned = False

    def __call__(self, progress: Progress) -> bool:
        if len(progress.history) > self._seen:
            self._seen = len(progress.history)
            self._trial.report(progress.history[-1][self._monitor], self._seen)
            self.pruned = self.pruned or self._trial.should_prune()
        return self.pruned


def _study(folder: Path, recipe: Recipe, space: Sequence[Dimension]) -> optuna.Study:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    folder.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        study_name="sweep",
        storage=JournalStorage(JournalFileBackend(str(folder / "study.log"))),
        sampler=optuna.samplers.TPESampler(seed=recipe.seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_FIRST_TRIALS, n_warmup_steps=1),
        direction="minimize" if recipe.monitor == "val_loss" else "maximize",
        load_if_exists=True,
    )
    wanted = {"recipe": recipe_sha256(recipe), "space": sorted(map(repr, space))}
    if study.user_attrs and study.user_attrs != wanted:
        raise TrainingError(
            f"{folder} holds a sweep of another recipe or of other settings; choose a new folder "
            "with -o"
        )
    for key, value in wanted.items():
        study.set_user_attr(key, value)
    return study


def _findings(study: optuna.Study, recipe: Recipe) -> Sweep:
    import optuna

    done = [t for t in study.trials if t.state is optuna.trial.TrialState.COMPLETE]
    if not done:
        raise TrainingError(
            "no trial came to its end; look at the errors above and narrow the ranges of --sweep"
        )
    several = len(done) > 2 and len({t.value for t in done}) > 1
    importances = optuna.importance.get_param_importances(study) if several else {}
    return Sweep(
        recipe=recipe.name,
        monitor=recipe.monitor,
        best=_trial(study.best_trial),
        trials=tuple(_trial(t) for t in study.trials if t.state.is_finished()),
        importances={key: round(float(share), 4) for key, share in importances.items()},
    )


def _trial(trial: optuna.trial.FrozenTrial) -> Trial:
    value = trial.value
    if value is None and trial.intermediate_values:
        value = trial.intermediate_values[max(trial.intermediate_values)]
    return Trial(
        number=trial.number, state=trial.state.name.lower(), value=value, settings=trial.params
    )


def _page(found: Sweep) -> Page:
    keys = list(found.best.settings)
    ordered = sorted(found.trials, key=lambda t: (t.state != "complete", t.number))
    rows = [
        [str(t.number), t.state, "–" if t.value is None else f"{t.value:.4f}"]
        + [_number(t.settings.get(key)) for key in keys]
        for t in ordered
    ]
    weights = [[key, f"{share:.2f}"] for key, share in found.importances.items()]
    tables = [Table(["setting", "importance"], weights)] if weights else []
    picture = Picture("sweep", _scatter(found, keys), "Each trial's figure over each setting.")
    return Page(
        title=f"{found.recipe}: {len(found.trials)} trials",
        lead=(
            f"The best trial is number {found.best.number}: {_shown(found.best.settings)}. "
            f"Trials were judged by {found.monitor} on the validation part, so its figure is kind; "
            "train best.yaml and read its test figures."
        ),
        sections=[
            Section("Settings", tables=tables, pictures=[picture]),
            Section("Trials", tables=[Table(["trial", "state", found.monitor, *keys], rows)]),
        ],
    )


def _scatter(found: Sweep, keys: Sequence[str]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.4 * len(keys) + 0.6, 3.2), layout="constrained")
    for axes, key in zip(figure.subplots(1, len(keys), squeeze=False).flat, keys, strict=True):
        known = [t for t in found.trials if t.value is not None and key in t.settings]
        values = [t.settings[key] for t in known]
        numbers = [float(v) for v in values if isinstance(v, int | float)]
        axes.scatter(
            numbers if len(numbers) == len(values) else [str(v) for v in values],
            [t.value for t in known],
            c=["#0072B2" if t.state == "complete" else "#b0b0b0" for t in known],
        )
        if numbers and min(numbers) > 0 and max(numbers) / min(numbers) >= _LOG_FROM:
            axes.set_xscale("log")
        elif len(numbers) == len(values):
            whole = all(isinstance(v, int) for v in values)
            axes.locator_params(axis="x", nbins=4, integer=whole, min_n_ticks=1)
        axes.set(xlabel=key, ylabel=found.monitor)
        axes.grid(alpha=0.3)
    return figure


def _shown(settings: Mapping[str, object]) -> str:
    return ", ".join(f"{key}={_number(value)}" for key, value in settings.items())


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
