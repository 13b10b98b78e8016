"""What runs left behind, read back: to list them, and to lay several side by side.

Read are recipe.yaml, history.csv, environment.json, error.txt, the time of the last checkpoint, the
test part's report, and the bundle's detector.json; nothing is recomputed.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from authentiscan.core.errors import BundleError, RecipeError, TrainingError, UsageError
from authentiscan.core.types import JsonObject
from authentiscan.inference.bundle import read_spec
from authentiscan.inference.recorded_metrics import RecordedMetrics
from authentiscan.inference.spec import SPEC_FILE, DetectorSpec
from authentiscan.training.attempt import ERROR_FILE, is_running
from authentiscan.training.recipe import Monitor, Recipe, portable
from authentiscan.training.recipe_file import load_recipe

RECIPE_FILE, HISTORY_FILE, BUNDLE = "recipe.yaml", "history.csv", "bundle"
FIGURES = ("val_loss", "val_roc_auc", "val_balanced_accuracy", "val_accuracy", "val_tpr_at_fpr_5")
"""Of the best epoch, on centre crops, as training saw them."""
MEASURED = ("roc_auc", "balanced_accuracy", "accuracy", "tpr_at_fpr_5")
"""Of the bundle."""

State: TypeAlias = Literal["finished", "running", "interrupted", "failed"]
Values: TypeAlias = dict[str, float]


class Run(BaseModel):
    """A run as its folder tells it.

    when: last sign of life. epochs, planned: done, and of the recipe. best_epoch: by the recipe's
    monitor, None before the first. best: training's own figures of that epoch. validation: of the
    bundle. tests: figures by data set and protocol, of the run's own test part and of what
    ``evaluate --record`` wrote. seconds: of training steps, validation not counted. size: bytes of
    the bundle. error: what it failed with.
    """

    model_config = ConfigDict(frozen=True)

    folder: Path
    name: str
    model: str
    data: tuple[str, ...]
    when: datetime
    state: State
    epochs: int
    planned: int
    best_epoch: int | None
    best: Values
    validation: Values
    tests: dict[str, Values]
    parameters: int | None
    size: int | None
    seconds: float
    device: str
    error: str | None

    @property
    def progress(self) -> str:
        """The state in words."""
        if self.state == "finished":
            return f"finished, {self.epochs} epochs"
        if self.state == "interrupted" and self.epochs >= self.planned:
            return f"all {self.epochs} epochs, no bundle"
        return f"{self.state} after epoch {self.epochs} of {self.planned}"


def read_run(folder: Path | str) -> Run:
    """The run in ``folder``. Raises TrainingError where there is none."""
    place = Path(folder)
    recipe = recipe_of(place)
    history = history_of(place)
    spec = bundle_of(place)
    error = _text(place / ERROR_FILE)
    best = _best(history, recipe.monitor)
    return Run(
        folder=place,
        name=recipe.name,
        model=recipe.model.name,
        data=tuple(source.name for source in recipe.data),
        when=_last_sign(place),
        state=_state(place, spec, error),
        epochs=len(history),
        planned=recipe.total_epochs,
        best_epoch=None if best is None else int(best["epoch"]),
        best={} if best is None else {k: best[k] for k in FIGURES if k in best},
        validation={} if spec is None else _points(spec.metrics.part("validation")),
        tests={} if spec is None else _tests(place) | _recorded(spec),
        parameters=None if spec is None else spec.parameters,
        size=None if spec is None else sum(f.stat().st_size for f in _files(place / BUNDLE)),
        seconds=sum(row.get("seconds", 0.0) for row in history),
        device=str(json_of(place / "environment.json").get("device", "")),
        error=error,
    )


def latest_run(outputs: Path | str) -> Path:
    """The run under ``outputs`` with the youngest checkpoint; TrainingError where there is none."""
    found = list(Path(outputs).glob("*/checkpoints/last.ckpt"))
    if not found:
        raise TrainingError(
            f"no run with a checkpoint under {outputs}; say which with --resume RUN"
        )
    return max(found, key=lambda path: path.stat().st_mtime).parent.parent


def find_runs(outputs: Path | str) -> list[Run]:
    """All runs in the folders below ``outputs`` (one or two levels deep), the latest last.

    Folders that hold a recipe but cannot be read are left out. Raises TrainingError where there is
    no run.
    """
    root = Path(outputs)
    found = []
    for path in sorted({*root.glob(f"*/{RECIPE_FILE}"), *root.glob(f"*/*/{RECIPE_FILE}")}):
        try:
            found.append(read_run(path.parent))
        except TrainingError:
            continue
    if not found:
        raise TrainingError(f"no runs under {root}; `authentiscan train` leaves them in runs/")
    return sorted(found, key=lambda run: run.when)


def find_run(run: Path | str, outputs: Path | str = "runs") -> Path:
    """The folder of a run, given as such, by its bundle, or by its name below ``outputs``.

    Raises UsageError, which names the runs there are.
    """
    for folder in (Path(run), Path(run).parent, Path(outputs) / run):
        if (folder / RECIPE_FILE).is_file():
            return folder
    root = Path(outputs)
    known = [
        path.parent.relative_to(root).as_posix() for path in sorted(root.glob(f"*/{RECIPE_FILE}"))
    ]
    there = f"there are {', '.join(known)}" if known else f"there are none below {root}/"
    raise UsageError(f"no such folder or run: {run}; {there}")


def recipe_of(folder: Path) -> Recipe:
    """The recipe that the run in ``folder`` followed. Raises TrainingError."""
    path = folder / RECIPE_FILE
    if not path.is_file():
        raise TrainingError(f"{folder} is no run: it has no {RECIPE_FILE}")
    try:
        return load_recipe(path)
    except RecipeError as error:
        raise TrainingError(f"{folder} was made by another release: {error}") from error


def history_of(folder: Path) -> list[Values]:
    """One record an epoch, of what is a number; empty before the first."""
    try:
        with (folder / HISTORY_FILE).open(newline="", encoding="utf-8") as file:
            return [_numbers(row) for row in csv.DictReader(file)]
    except OSError:
        return []


def recipe_differences(runs: Sequence[Run]) -> dict[str, list[object]]:
    """Dotted keys of the recipes that are not the same in all ``runs``, with each run's value.

    A key that a recipe does not have is None. In which folders the data lie makes no difference.
    """
    flat = [_flat(portable(recipe_of(run.folder))) for run in runs]
    keys = dict.fromkeys(key for recipe in flat for key in recipe)
    rows = {key: [recipe.get(key) for recipe in flat] for key in keys}
    return {key: row for key, row in rows.items() if any(value != row[0] for value in row)}


def labels(runs: Sequence[Run]) -> list[str]:
    """Names that tell the runs apart: their own, or their folders' where those are alike.

    Raises UsageError where a run is given twice.
    """
    folders = [run.folder.resolve() for run in runs]
    if len(set(folders)) < len(folders):
        raise UsageError("the same run is given twice")
    for names in ([r.name for r in runs], [f.name for f in folders]):
        if len(set(names)) == len(names):
            return names
    return [str(run.folder) for run in runs]


def _state(folder: Path, spec: DetectorSpec | None, error: str | None) -> State:
    if is_running(folder):
        return "running"
    if error is not None:
        return "failed"
    finished = spec is not None and (folder / "metrics.txt").is_file()
    return "finished" if finished else "interrupted"


def bundle_of(folder: Path) -> DetectorSpec | None:
    """What the run in ``folder`` left, None where that is not there yet or broken."""
    if not (folder / BUNDLE / SPEC_FILE).is_file():
        return None
    try:
        return read_spec(folder / BUNDLE, verify=False)
    except BundleError:
        return None


def _last_sign(folder: Path) -> datetime:
    signs = (HISTORY_FILE, "metrics.txt", "checkpoints/last.ckpt", ERROR_FILE, RECIPE_FILE)
    times = [(folder / s).stat().st_mtime for s in signs if (folder / s).is_file()]
    return datetime.fromtimestamp(max(times), UTC)


def _best(history: Sequence[Values], monitor: Monitor) -> Values | None:
    rows = [row for row in history if monitor in row]
    if not rows:
        return None
    sign = 1 if monitor == "val_loss" else -1
    return min(rows, key=lambda row: sign * row[monitor])


def _tests(folder: Path) -> dict[str, Values]:
    """``{"test, raw": figures}`` of the report that the run left on its own test part."""
    protocols = json_of(folder / "report" / "evaluation.json").get("protocols", {})
    return {
        f"test, {protocol}": _figures(result["overall"]["metrics"])
        for protocol, result in protocols.items()
    }


def _recorded(spec: DetectorSpec) -> dict[str, Values]:
    """``{"faces/test, matched": figures}`` of evaluations recorded in the bundle."""
    return {
        f"{name}, {protocol}": _points(figures)
        for name, evaluation in spec.metrics.part("evaluation").parts.items()
        for protocol, figures in evaluation.parts.items()
        if not protocol.startswith("per_")
    }


def _points(record: RecordedMetrics) -> Values:
    """The measured figures of a bundle's record, without their intervals."""
    points = {key: record.value(key) for key in MEASURED}
    return {key: float(value) for key, value in points.items() if value is not None}


def _figures(record: JsonObject) -> Values:
    """The measured figures of a record, of those with intervals the point estimates."""
    values = {key: record.get(key) for key in MEASURED}
    points = {k: v.get("value") if isinstance(v, dict) else v for k, v in values.items()}
    return {k: float(v) for k, v in points.items() if isinstance(v, int | float)}


def _flat(values: object, before: str = "") -> JsonObject:
    if isinstance(values, dict) and values:
        pairs = [(f"{before}{key}", value) for key, value in values.items()]
    elif isinstance(values, list) and values and isinstance(values[0], dict):
        pairs = [(f"{before}{index}", value) for index, value in enumerate(values)]
    else:
        return {before.removesuffix("."): values}
    found: JsonObject = {}
    for key, value in pairs:
        found |= _flat(value, f"{key}.")
    return found


def _numbers(row: dict[str, str]) -> Values:
    found = {}
    for key, text in row.items():
        try:
            found[key] = float(text)
        except (TypeError, ValueError):
            continue
    return found


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def json_of(path: Path) -> JsonObject:
    """The object in a file that a run left; empty where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return None
