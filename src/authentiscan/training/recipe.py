"""The recipe: everything that decides how a detector is trained, in one frozen record.

Unknown keys are refused. `authentiscan.training.recipe_file` reads recipes from YAML and reports
all mistakes together, each with its line.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import Field, field_validator, model_validator

from authentiscan.core.errors import UsageError
from authentiscan.core.records import Record, renamed
from authentiscan.core.types import JsonObject
from authentiscan.evaluation.protocol import named
from authentiscan.images.preprocess import Preprocess
from authentiscan.metrics.thresholds import Costs
from authentiscan.training.augment import AugmentSettings

Monitor: TypeAlias = Literal[
    "val_loss", "val_roc_auc", "val_balanced_accuracy", "val_accuracy", "val_tpr_at_fpr_5"
]
"""Figures on the validation part: the loss is better low, the others are better high."""


class ModelChoice(Record):
    """Which architecture of `authentiscan.models`, and the arguments it is created with."""

    name: str = Field(min_length=1)
    arguments: JsonObject = Field(default_factory=dict)


class SplitPlan(Record):
    """How rows without a split get one; rows that have one keep it. Groups are never divided.

    fractions: of train, val and test, within every data set, generator and class. hold_out: texts
    ``column=value``; matching rows go to test as a whole, as sources never seen. resplit: deal all
    rows out anew, whatever split the manifest states.
    """

    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15)
    seed: int = Field(default=0, ge=0)
    hold_out: tuple[str, ...] = ()
    resplit: bool = False

    @field_validator("fractions")
    @classmethod
    def _whole(cls, fractions: tuple[float, float, float]) -> tuple[float, float, float]:
        if min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6 or 0 in fractions[:2]:
            raise ValueError(
                f"fractions of train, val, test must add up to 1 with train and val above 0, "
                f"got {list(fractions)}"
            )
        return fractions


class Start(Record):
    """A bundle whose weights training begins from, instead of random or pretrained ones.

    sha256: its `DetectorSpec.identity`; a bundle with other weights is refused.
    """

    bundle: str
    sha256: str


class DataSource(Record):
    """A data set to learn from.

    path: a manifest (Parquet), a table with an ``image`` column, or a folder that the catalog of
    data
        sets can read; relative to where the command runs. Empty when given with ``--data
        NAME=PATH``.
    share: its part of every epoch, relative to the other shares (44, 18, 38 or 0.44, ...). Either
    all
        data sets have one or none has; without, they are mixed as large as they are.
    where: only rows whose column equals the value or one of the values.
    split: instead of the recipe's.
    role: ``learn`` from it; ``replay``: learn from it again, as the detector of ``start`` did;
        ``watch``: learn nothing from it, only measure what was known of it and what is still known.
        Rows of the last two keep their split, whatever other data sets say of their images, so that
        what was once learned from never becomes a test.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    path: str | None = None
    share: float | None = Field(default=None, gt=0)
    where: dict[str, str | int | list[str | int]] = Field(default_factory=dict)
    split: SplitPlan | None = None
    role: Literal["learn", "replay", "watch"] = "learn"

    @property
    def known(self) -> bool:
        """Whether the detector that training starts from has learned from it."""
        return self.role != "learn"


class Phase(Record):
    """A stretch of training with its own trained layers, learning rate and epochs.

    A later phase starts from the best weights so far. trained: ``all``, ``head``, or ``last N``:
    the head and the last N layers of the backbone, counting layers that hold parameters
    (convolutions, normalisations, linear layers) from the output. Frozen layers also keep their
    normalisation statistics. lr: instead of ``optimizer.lr``.
    """

    epochs: int = Field(ge=1, le=100_000)
    trained: str = "all"
    lr: float | None = Field(default=None, gt=0)

    @field_validator("trained")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in ("all", "head") and not re.fullmatch(r"last [1-9]\d*", value):
            raise ValueError(f"trained is 'all', 'head' or 'last N' with N >= 1, got {value!r}")
        return value

    @property
    def last_layers(self) -> int | None:
        """How many backbone layers are trained; None for all of them."""
        if self.trained == "all":
            return None
        return 0 if self.trained == "head" else int(self.trained.split()[1])


class Optimizer(Record):
    """weight_decay: on weights, not on biases and norms. head_l2: adds head_l2 * sum(w^2) of the
    head's linear layers to the loss, as Keras' kernel_regularizer does. backbone_lr: factor on the
    backbone's learning rate.
    """

    name: Literal["adam", "adamw", "sgd"] = "adamw"
    lr: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    head_l2: float = Field(default=0.0, ge=0)
    backbone_lr: float = Field(default=1.0, gt=0)


class Scheduler(Record):
    """plateau: lr times ``factor`` after ``patience`` epochs without a better validation loss.
    cosine: from lr down to ``min_lr``, after a linear rise over ``warmup`` (share of the phase).
    """

    name: Literal["plateau", "cosine", "constant"] = "constant"
    factor: float = Field(default=0.5, gt=0, lt=1)
    patience: int = Field(default=2, ge=0)
    min_lr: float = Field(default=0.0, ge=0)
    warmup: float = Field(default=0.0, ge=0, le=0.9)


class Loss(Record):
    """bce on the logit; cross-entropy of the two classes with logits -z/2 and z/2, which is the
    same number. label_smoothing: both targets are drawn this far towards 0.5 (0.1: 0.05 and 0.95).
    """

    name: Literal["bce", "cross-entropy"] = "bce"
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)


class Sampling(Record):
    """Which images make an epoch. Drawn without repeats until a class's images are used up.

    balance_classes: as many real as generated ones from each data set. within: ``natural`` by
    number
        of images, ``equal`` as many from each value of column ``by``, ``sqrt`` between the two.
        epoch_size: images an epoch; as many as the training part has when empty.
    """

    balance_classes: bool = True
    within: Literal["natural", "sqrt", "equal"] = "natural"
    by: str = "generator"
    epoch_size: int | None = Field(default=None, ge=1)


class EarlyStopping(Record):
    """Ends a phase after ``patience`` epochs without a better ``monitor`` of the recipe."""

    patience: int = Field(default=5, ge=1)
    min_delta: float = Field(default=0.0, ge=0)


class Checkpoints(Record):
    """``last`` is written after every epoch and every ``every_steps`` steps; a numbered one that is
    kept every ``every_epochs`` epochs.
    """

    every_epochs: int | None = Field(default=None, ge=1)
    every_steps: int | None = Field(default=None, ge=1)


class Deployment(Record):
    """What is measured on the validation part after training, with the finished bundle.

    protocol: what is done to validation images first, as in `evaluate`: ``raw``, ``history``,
    ``matched`` or a degradation chain; once called ``treatment``. fprs: false-positive rates to
    state thresholds for. decide_at: the one from which an image is called generated. costs: of each
    kind of mistake; they decide how wide the inconclusive band is.
    """

    protocol: str = "raw"
    fprs: tuple[float, ...] = (0.01, 0.05)
    decide_at: float = 0.05
    costs: Costs = Costs()

    @model_validator(mode="before")
    @classmethod
    def _old_name(cls, values: object) -> object:
        return renamed(values, "treatment", "protocol")

    @model_validator(mode="after")
    def _consistent(self) -> Deployment:
        if not self.fprs or not all(0 < fpr < 1 for fpr in self.fprs):
            raise ValueError(f"fprs are numbers between 0 and 1, got {list(self.fprs)}")
        if self.decide_at not in self.fprs:
            raise ValueError(f"decide_at {self.decide_at} is not one of fprs {list(self.fprs)}")
        return self

    @field_validator("protocol")
    @classmethod
    def _readable(cls, text: str) -> str:
        try:
            named(text)
        except UsageError as error:
            raise ValueError(str(error)) from error
        return text


class Recipe(Record):
    """A training run, complete. See the fields' own records for what they mean.

    batch_size: images a step over all devices together. accumulate: steps whose gradients are added
    before the weights move. max_unreadable: share of a data set's images that may fail to decode.
    monitor_by: what counts alike in the validation figures that choose the best epoch: every image,
    or every data set as much as its share of an epoch.
    cache_mb: decoded training pixels kept in memory. workers: loader processes a device.
    feature_draws: for architectures of which only the head learns: so many augmented crops of every
    training image are taken once, and all epochs learn from these. feature_cache: their features
    are kept below ``outputs``, in half precision, and the next run finds them.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    summary: str = ""
    seed: int = Field(default=0, ge=0, lt=2**31)
    start: Start | None = None
    model: ModelChoice
    preprocess: Preprocess
    data: tuple[DataSource, ...] = Field(min_length=1)
    split: SplitPlan = SplitPlan()
    augment: AugmentSettings = AugmentSettings()
    sampling: Sampling = Sampling()
    phases: tuple[Phase, ...] = Field(min_length=1)
    optimizer: Optimizer = Optimizer()
    scheduler: Scheduler = Scheduler()
    loss: Loss = Loss()
    batch_size: int = Field(default=32, ge=1)
    accumulate: int = Field(default=1, ge=1)
    gradient_clip: float | None = Field(default=None, gt=0)
    ema: float | None = Field(default=None, gt=0, lt=1)
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    gradient_checkpointing: bool = False
    channels_last: bool = False
    compile: bool = False
    monitor: Monitor = "val_loss"
    monitor_by: Literal["image", "share"] = "image"
    early_stopping: EarlyStopping | None = None
    checkpoint: Checkpoints = Checkpoints()
    deployment: Deployment = Deployment()
    feature_draws: int | None = Field(default=None, ge=1)
    feature_cache: bool = False
    max_unreadable: float = Field(default=0.01, ge=0, le=1)
    workers: int = Field(default=2, ge=0, le=256)
    cache_mb: int = Field(default=1024, ge=0)
    outputs: str = "runs"
    licence: str = "Apache-2.0"
    limits: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        names = [source.name for source in self.data]
        if len(set(names)) < len(names):
            raise ValueError(f"data sets need different names, got {names}")
        learned = [source for source in self.data if source.role != "watch"]
        shares = [source.share is not None for source in learned]
        if any(shares) and not all(shares):
            raise ValueError("either every data set has a share or none has")
        if not learned:
            raise ValueError("every data set is only watched: there is nothing to learn from")
        if self.feature_cache and self.feature_draws is None:
            raise ValueError("feature_cache keeps what feature_draws takes: give their number")
        if self.start is None and any(source.known for source in self.data):
            raise ValueError("the roles replay and watch need a bundle to start from")
        return self

    @property
    def total_epochs(self) -> int:
        """Epochs of all phases together, if none stops early."""
        return sum(phase.epochs for phase in self.phases)


_DOES_NOT_MATTER = {"outputs", "workers", "cache_mb", "summary", "limits", "licence"}
"""Fields that change where and how fast a run goes and what is said of it, not what comes out."""


def portable(recipe: Recipe) -> JsonObject:
    """The recipe as plain values, without this machine's folders.

    What a run without ``start`` has no use for is left out, so that its hash does not change.
    """
    content = recipe.model_dump(mode="json", exclude={"outputs"})
    for source in content["data"]:
        source["path"] = Path(source["path"]).name if source["path"] else None
        for key, default in (("role", "learn"), ("split", None)):
            if source[key] == default:
                del source[key]
    if recipe.monitor_by == "image":
        del content["monitor_by"]
    if not recipe.feature_cache:
        del content["feature_cache"]
    if recipe.start is None:
        del content["start"]
    else:
        content["start"]["bundle"] = Path(recipe.start.bundle).name
    return content


def recipe_sha256(recipe: Recipe) -> str:
    """Hash of everything in the recipe that decides the result, wherever the data lie."""
    content = {k: v for k, v in portable(recipe).items() if k not in _DOES_NOT_MATTER}
    deployment = content["deployment"]
    deployment["treatment"] = deployment.pop("protocol")  # its old name: hashes stay what they were
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
