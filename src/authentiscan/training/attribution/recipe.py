"""The recipe of an attributor: a YAML file that fully describes its training."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from authentiscan.core.errors import RecipeError
from authentiscan.core.records import Record
from authentiscan.images.preprocess import Preprocess
from authentiscan.training.augment import AugmentSettings
from authentiscan.training.settings_file import Change, parse_settings, read_text


class NetworkChoice(Record):
    """Which attributor (`authentiscan.models.attributors`), with which arguments."""

    name: Literal["fingerprint", "single", "single-frozen"]
    arguments: dict[str, Any] = Field(default_factory=dict)


class ClassSettings(Record):
    """Which images are classes.

    least: generators with fewer training images are left out, and named. most: of each generator at
    most this many images an epoch are learned from, so that none outweighs the others; None takes
    as many as the median generator has. photographs: make them a class of their own. weak: also
    take generators whose names say mixed or unspecified, or carry a guess in parentheses.
    column: of the manifest, which names the generator. together: new name -> names that it joins.
    only: generators that may be classes, after joining; empty for all. The others count as unknown.
    most_of_source: images of a generator that are taken of one source; most_photographs: the same
    of photographs; None for all. least_side: images with a shorter side under this are left out.
    """

    least: int = Field(default=30, ge=4)
    most: int | None = Field(default=None, ge=4)
    photographs: bool = True
    weak: bool = False
    column: str = "generator"
    together: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    only: tuple[str, ...] = ()
    most_of_source: int | None = Field(default=None, ge=1)
    most_photographs: int | None = Field(default=None, ge=1)
    least_side: int | None = Field(default=None, ge=1)


class LossWeights(Record):
    """Factors of the parts of the loss; 0 leaves a part out.

    consistency: two augmented views of an image must get the same answer. The others are for
    ``fingerprint`` alone: perceptual and adversarial hold the cleaned image to a photograph's look,
    magnitude keeps residuals small.
    """

    consistency: float = Field(default=0.5, ge=0)
    perceptual: float = Field(default=1.0, ge=0)
    adversarial: float = Field(default=0.1, ge=0)
    magnitude: float = Field(default=1.0, ge=0)


class AttributionRecipe(Record):
    """Everything that a training run of an attributor depends on, beside its data.

    limits: what it cannot do, in words, for its card. draws: augmented views of every image that
    are computed once, for ``single-frozen``. hours: training ends after this long, with the best
    weights until then. processor_hours: the same by processor time, of which other programs take
    nothing. patience: epochs without a better balanced accuracy on validation images after which it
    ends.
    """

    name: str
    summary: str = ""
    limits: tuple[str, ...] = ()
    network: NetworkChoice
    preprocess: Preprocess
    classes: ClassSettings = ClassSettings()
    augment: AugmentSettings = AugmentSettings()
    loss: LossWeights = LossWeights()
    perceptual_backbone: str = "vgg16"
    draws: int = Field(default=4, ge=2, le=64)
    epochs: int = Field(default=40, ge=1)
    batch_size: int = Field(default=32, ge=2)
    lr: float = Field(default=3e-4, gt=0)
    discriminator_lr: float = Field(default=2e-4, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    label_smoothing: float = Field(default=0.05, ge=0, lt=1)
    patience: int = Field(default=8, ge=1)
    hours: float | None = Field(default=None, gt=0)
    processor_hours: float | None = Field(default=None, gt=0)
    precision: Literal["fp32", "bf16"] = "fp32"
    least_fit: float = Field(default=0.05, ge=0, lt=1)
    seed: int = Field(default=0, ge=0)
    workers: int = Field(default=0, ge=0)


def shipped_attribution() -> dict[str, Path]:
    """Name and file of every recipe for attributors that comes with the package."""
    folder = Path(str(resources.files("authentiscan"))) / "training" / "attribution" / "recipes"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_attribution_recipe(
    recipe: str | Path, changes: Sequence[str | Change] = ()
) -> AttributionRecipe:
    """Read a recipe by path or shipped name and apply ``changes`` such as ``lr=1e-4``.

    Raises RecipeError that lists every mistake, each with its line or the change it came from.
    """
    path = Path(recipe)
    if not path.is_file():
        known = shipped_attribution()
        name = str(recipe).removesuffix(".yaml")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise RecipeError(
                f"no recipe {str(recipe)!r}: neither a file nor a shipped recipe for attributors; "
                f"{hint}shipped are {', '.join(known)}"
            )
        path = known[name]
    text = read_text(path, "recipe")
    return parse_settings(AttributionRecipe, text, what="recipe", name=path.name, changes=changes)
