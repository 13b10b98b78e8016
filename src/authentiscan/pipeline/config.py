"""The configuration of a pipeline: data sets, recipes and settings of all phases in one YAML file.

Unknown keys are refused, and all mistakes (also those in the recipes it names) are told together,
each with its line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator, model_validator

from authentiscan.core.errors import RecipeError, UsageError
from authentiscan.core.files import expanded, is_there
from authentiscan.core.records import Record
from authentiscan.core.types import JsonObject
from authentiscan.evaluation.protocol import named
from authentiscan.training.recipe import Checkpoints, DataSource, Recipe, SplitPlan
from authentiscan.training.recipe_file import load_recipe, shipped
from authentiscan.training.settings_file import Change, Place, parse_settings, read_text

EXAMPLE = Path(__file__).parent / "example.yaml"
COMBINED = "combined"
STEPS_BETWEEN_CHECKPOINTS = 200
"""Where a recipe does not say; an interrupted run loses at most so many steps."""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class DataSet(Record):
    """Where a data set lies: a folder, zip, Parquet table or manifest; a path alone will do.

    where: only rows whose column equals the value or one of the values.
    """

    path: str = Field(min_length=1)
    where: dict[str, str | int | list[str | int]] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, value: object) -> object:
        return {"path": value} if isinstance(value, str) else value


class Baseline(Record):
    """How a data set's own detector is trained.

    recipe: a file or a shipped recipe's name; ``<data set>-baseline`` where left out. set: changes
    to it, dotted keys or nested ones.
    """

    recipe: str | None = None
    set: JsonObject = Field(default_factory=dict)


class Combined(Record):
    """How the model for all data sets is trained.

    shares: of every data set in an epoch, relative to each other; those of the recipe where left
    out.
    """

    recipe: str = COMBINED
    shares: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    set: JsonObject = Field(default_factory=dict)


class CrossSettings(Record):
    """Every detector on the test part of every data set.

    protocols: ``raw``, ``matched``, ``history`` or degradation chains; one matrix each. bootstrap:
    rounds for the intervals.
    """

    protocols: tuple[str, ...] = Field(default=("raw", "matched"), min_length=1)
    bootstrap: int = Field(default=1000, ge=0, le=100_000)
    seed: int = Field(default=0, ge=0)
    workers: int = Field(default=2, ge=1, le=64)

    @field_validator("protocols")
    @classmethod
    def _readable(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            try:
                named(text)
            except UsageError as error:
                raise ValueError(str(error)) from error
        if len(set(texts)) < len(texts):
            raise ValueError(f"protocols must differ, got {list(texts)}")
        return texts


class GradcamSettings(Record):
    """samples: images of every data set's test part, half of each class, for every detector."""

    samples: int = Field(default=20, ge=1, le=10_000)
    seed: int = Field(default=0, ge=0)


class PipelineConfig(Record):
    """A whole pipeline. See the fields' own records for what they mean.

    output: folder of everything it makes. data: name -> where it lies. split: one for all data sets
    and all detectors, so that a test image is one for each of them. baselines: by data set. set:
    changes to every recipe; a recipe's own come after them. combined: null for none.
    """

    output: str = "pipeline"
    data: dict[Name, DataSet] = Field(min_length=1)
    split: SplitPlan = SplitPlan()
    baselines: dict[Name, Baseline] = Field(default_factory=dict)
    combined: Combined | None = Combined()
    set: JsonObject = Field(default_factory=dict)
    cross: CrossSettings = CrossSettings()
    gradcam: GradcamSettings = GradcamSettings()

    def recipes(self) -> dict[str, Recipe]:
        """Detector -> its recipe, baselines in the order of the data sets, then the combined one.

        The recipes name the data sets but not yet where they lie. Raises RecipeError.
        """
        found = {baseline_name(name): self.baseline(name) for name in self.data}
        if self.combined is not None and len(self.data) > 1:
            found[COMBINED] = self.all_together(self.combined)
        return found

    def baseline(self, name: str) -> Recipe:
        """The recipe of the detector for the data set ``name``. Raises RecipeError."""
        plan = self.baselines.get(name, Baseline())
        if plan.recipe is None and f"{name}-baseline" not in shipped():
            raise RecipeError(
                f"there is no recipe {name}-baseline; say which one with "
                f"baselines: {{{name}: {{recipe: NAME}}}}"
            )
        recipe = load_recipe(
            plan.recipe or f"{name}-baseline",
            [*_changes(self.set, "set"), *_changes(plan.set, f"baselines.{name}.set")],
        )
        where = recipe.data[0].where if len(recipe.data) == 1 else {}
        return _adapted(recipe, baseline_name(name), [DataSource(name=name, where=where)])

    def all_together(self, plan: Combined) -> Recipe:
        """The recipe of the model for all data sets. Raises RecipeError."""
        changes = [*_changes(self.set, "set"), *_changes(plan.set, "combined.set")]
        recipe = load_recipe(plan.recipe, changes)
        shares = plan.shares or {s.name: s.share for s in recipe.data if s.share is not None}
        lacking = [name for name in self.data if name not in shares]
        unknown = [name for name in plan.shares if name not in self.data]
        if lacking or unknown:
            wrong = f"no share for {', '.join(lacking)}" if lacking else f"no data set {unknown[0]}"
            raise RecipeError(f"{wrong}; combined.shares gives one for each of {list(self.data)}")
        sources = [DataSource(name=name, share=shares[name]) for name in self.data]
        return _adapted(recipe, COMBINED, sources)


def baseline_name(data: str) -> str:
    """What the detector of a data set is called."""
    return f"{data}_baseline"


def load_config(path: Path | str, changes: Sequence[str] = ()) -> PipelineConfig:
    """Read a configuration and apply ``changes`` such as ``gradcam.samples=5``.

    Raises RecipeError that lists every mistake: of the file, of the recipes it names, and paths
    where nothing lies.
    """
    source = Path(path)
    text = read_text(source, "configuration")
    return parse_config(text, source.name, changes)


def parse_config(text: str, name: str = "config", changes: Sequence[str] = ()) -> PipelineConfig:
    """Same as `load_config` for YAML ``text``; ``name`` is what messages call it."""
    return parse_settings(
        PipelineConfig, text, what="configuration", name=name, changes=changes, check=_mistakes
    )


def _mistakes(config: PipelineConfig) -> Iterator[tuple[Place, str]]:
    for name, data in config.data.items():
        if not is_there(expanded(data.path)):
            yield ("data", name, "path"), f"there is no {data.path}"
    for name in config.baselines:
        if name not in config.data:
            yield ("baselines", name), f"no data set {name!r}; there are {', '.join(config.data)}"
    for name in config.data:
        try:
            config.baseline(name)
        except RecipeError as error:
            yield ("baselines", name), _inside(error)
    if config.combined is not None and len(config.data) > 1:
        try:
            config.all_together(config.combined)
        except RecipeError as error:
            yield ("combined",), _inside(error)


def _inside(error: RecipeError) -> str:
    return str(error).replace("\n", "\n  ")


def _changes(values: JsonObject, origin: str) -> list[Change]:
    """Nested mappings as dotted keys, so that ``optimizer: {lr: 1}`` leaves its neighbours be."""
    return [Change(key, value, f"{origin}.{key}") for key, value in _flat(values)]


def _flat(values: JsonObject, before: str = "") -> Iterator[tuple[str, object]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _adapted(recipe: Recipe, name: str, sources: Sequence[DataSource]) -> Recipe:
    """The recipe under its detector's name, on the pipeline's data and splits."""
    if recipe.split.hold_out or recipe.split.resplit:
        raise RecipeError(
            f"the recipe {recipe.name!r} holds images out or deals them anew by itself; a pipeline "
            "has one split for all detectors: say it under `split` of the configuration"
        )
    if recipe.start is not None:
        raise RecipeError(
            f"the recipe {recipe.name!r} starts from a bundle, which may have learned from images "
            "that are tests here"
        )
    every = recipe.checkpoint.every_steps or STEPS_BETWEEN_CHECKPOINTS
    checkpoint = Checkpoints(every_epochs=recipe.checkpoint.every_epochs, every_steps=every)
    changed = {"name": name, "data": tuple(sources), "split": SplitPlan(), "checkpoint": checkpoint}
    return recipe.model_copy(update=changed)
