"""What a detector states of itself in its detector.json: of one network, or of an ensemble."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from datetime import datetime
from math import inf
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from pydantic import Field, field_validator, model_validator

from authentiscan.core.records import Record
from authentiscan.core.types import JsonObject, Verdict
from authentiscan.images.preprocess import Preprocess
from authentiscan.inference.recorded_metrics import Json, Metrics, RecordedMetrics
from authentiscan.metrics.calibration import Calibration
from authentiscan.metrics.decision import Decision, Threshold

SPEC_FILE = "detector.json"
ONNX_FILE = "model.onnx"
WEIGHTS_FILE = "weights.safetensors"
MEMBERS = "members"
LABELS = {0: "real", 1: "generated"}
Range: TypeAlias = tuple[float, float]
Sides: TypeAlias = tuple[int, int]
"""The least and the largest shorter side of an image, in pixels, both included."""

LARGEST_SIDE = 1_000_000
ANY_SIDE: Sides = (1, LARGEST_SIDE)
FOREIGN = "onnx"
"""Architecture of a bundle that is a graph alone: others made it, or its weights were left out."""

_SAME_SCORE = 1e-6
MEMBER_FOLDER = rf"^{MEMBERS}/[A-Za-z0-9][A-Za-z0-9._-]*$"


_MOST = 16_384
"""Of layers, channels or anything else that an architecture takes: far more than any has."""


def _numbers(value: object) -> Iterator[float]:
    """All numbers in nested mappings and lists."""
    inner = value.values() if isinstance(value, dict) else value
    if isinstance(inner, Iterable) and not isinstance(inner, str):
        for part in inner:
            yield from _numbers(part)
    elif isinstance(inner, int | float):
        yield inner


class Architecture(Record):
    """Which model family, built with which arguments (see `authentiscan.models.create`)."""

    name: str
    arguments: JsonObject = Field(default_factory=dict)
    parameters: int = Field(ge=0)

    @field_validator("arguments")
    @classmethod
    def _bounded(cls, arguments: JsonObject) -> JsonObject:
        if not all(abs(value) <= _MOST for value in _numbers(arguments)):
            raise ValueError(f"a number of an architecture is at most {_MOST:,}")
        return arguments


class DataUse(Record):
    """A manifest that training read: its hash and how many images each split had."""

    name: str
    sha256: str
    images: dict[str, int]
    licence: str | None = None


class Ancestor(Record):
    """A detector whose weights this one began from; ``sha256`` is its `identity`."""

    name: str
    version: str
    created: datetime
    sha256: str


class DetectorSpec(Record):
    """What every detector states of itself; a `NetworkSpec` or an `EnsembleSpec`.

    typical: per figure of `authentiscan.images.figures` a range, empty where not measured; 99 % of
    the training images lie inside all, one outside any is far from what the detector knows.
    verdict_range: per figure the range in which the error rates of ``decision`` hold; the verdict
    on an image outside any is inconclusive.
    lineage: the detectors it was trained on from, oldest first.
    """

    schema_version: Literal[1] = 1
    kind: str
    name: str
    version: str = "1"
    created: datetime
    labels: dict[int, str] = Field(default_factory=LABELS.copy)
    calibration: Calibration = Calibration()
    decision: Decision
    thresholds: tuple[Threshold, ...] = ()
    metrics: Metrics = RecordedMetrics()
    typical: dict[str, Range] = Field(default_factory=dict)
    verdict_range: dict[str, Range] = Field(default_factory=dict)
    recipe: Json = Field(default_factory=dict)
    recipe_sha256: str = ""
    data: tuple[DataUse, ...] = ()
    lineage: tuple[Ancestor, ...] = ()
    libraries: dict[str, str] = Field(default_factory=dict)
    licence: str = "Apache-2.0"
    summary: str = ""
    limits: tuple[str, ...] = ()
    files: dict[str, str] = Field(default_factory=dict)

    @field_validator("labels")
    @classmethod
    def _fixed(cls, labels: dict[int, str]) -> dict[int, str]:
        if labels != LABELS:
            raise ValueError(f"labels are {LABELS}, got {labels}")
        return labels

    @field_validator("typical", "verdict_range")
    @classmethod
    def _ordered(cls, ranges: dict[str, Range]) -> dict[str, Range]:
        for name, (low, high) in ranges.items():
            if not -inf < low <= high < inf:
                raise ValueError(f"the range of {name} must be two finite numbers that rise")
        return ranges

    @model_validator(mode="after")
    def _decides(self) -> DetectorSpec:
        least, largest = self.calibration.reach
        if self.decision(least) is self.decision(largest) is not Verdict.INCONCLUSIVE:
            raise ValueError(
                f"scores reach from {least:g} to {largest:g}: every image would be called "
                f"{self.decision(least).value}"
            )
        return self

    @abstractmethod
    def placed_networks(self, folder: Path = Path()) -> Iterator[PlacedNetwork]:
        """The networks of the detector in ``folder``: its logit is the sum of weight times pooled
        logit plus bias, over those whose range of sides the image lies in.
        """

    def networks_for(self, height: int, width: int) -> tuple[NetworkSpec, ...]:
        """The networks that judge an image of that size in pixels."""
        side = min(height, width)
        return tuple(n.spec for n in self.placed_networks() if n.sides[0] <= side <= n.sides[1])

    def decision_for(self, height: int, width: int) -> Decision:  # noqa: ARG002
        """The rule with the error rates that hold for images of that size in pixels."""
        return self.decision

    @property
    @abstractmethod
    def architecture_name(self) -> str:
        """What judges, in a word or two."""

    @property
    @abstractmethod
    def sha256(self) -> str | None:
        """Hash of what computes the logits: of the ONNX graph where there is one; None unknown."""

    @property
    def networks(self) -> tuple[NetworkSpec, ...]:
        """The networks, in the order of `placed_networks`."""
        return tuple(weighted.spec for weighted in self.placed_networks())

    @property
    def parameters(self) -> int:
        """How many numbers were trained, of all networks together."""
        return sum(network.architecture.parameters for network in self.networks)

    @property
    @abstractmethod
    def identity(self) -> str | None:
        """Hash of weights and preprocessing: calibration and thresholds may change without it."""

    @property
    @abstractmethod
    def own_files(self) -> tuple[str, ...]:
        """The files that decide what the bundle says, as paths below its folder."""


class NetworkSpec(DetectorSpec):
    """A detector of one network.

    selftest: logits of the crops of `inference.selftest.probes`, where a graph of small numbers may
    come out wrong on another processor; it is held to them when it is loaded.
    """

    kind: Literal["network"] = "network"
    architecture: Architecture
    preprocess: Preprocess
    selftest: tuple[float, ...] | None = None

    @property
    def foreign(self) -> bool:
        """Whether there is a graph alone, so that it is no network of `authentiscan.models`."""
        return self.architecture.name == FOREIGN

    @property
    def largest_batch(self) -> int | None:
        """Most crops at once whose scores do not depend on each other; None for any number."""
        most = self.architecture.arguments.get("batch")
        return most if isinstance(most, int) and most > 0 else None

    def placed_networks(self, folder: Path = Path()) -> Iterator[PlacedNetwork]:
        """Itself, with weight 1, for images of every size."""
        yield PlacedNetwork(1.0, 0.0, ANY_SIDE, folder, self)

    @property
    def architecture_name(self) -> str:
        """The architecture's name in `authentiscan.models`."""
        return self.architecture.name

    @property
    def sha256(self) -> str | None:
        """Hash of the ONNX graph."""
        return self.files.get(ONNX_FILE)

    @property
    def identity(self) -> str | None:
        """Hash of graph, weights and preprocessing."""
        if not self.files:
            return None
        text = repr(sorted(self.files.items())) + self.preprocess.model_dump_json()
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def own_files(self) -> tuple[str, ...]:
        """Graph and weights; nothing beside a graph alone."""
        return (ONNX_FILE,) if self.foreign else (ONNX_FILE, WEIGHTS_FILE)


class Member(Record):
    """A detector in an ensemble.

    folder: of its bundle, below the ensemble's. weight: factor on its logit, at least 0, so that
    what speaks for generated in a member never speaks against it in the ensemble. bias: added to
    that, so that a member that judges alone can share the others' thresholds. sides: it judges
    images whose shorter side in pixels lies in this range; it is silent on others. spec: its own
    description, read from its folder and written there only.
    """

    folder: str = Field(pattern=MEMBER_FOLDER)
    weight: float = Field(ge=0, allow_inf_nan=False)
    bias: float = Field(default=0.0, allow_inf_nan=False)
    sides: Sides = ANY_SIDE
    spec: DetectorSpec = Field(exclude=True)

    @field_validator("sides")
    @classmethod
    def _rising(cls, sides: Sides) -> Sides:
        if not 1 <= sides[0] <= sides[1]:
            raise ValueError(f"sides are two numbers from 1 that rise, got {list(sides)}")
        return sides


class EnsembleSpec(DetectorSpec):
    """Several detectors that judge as one: logit = sum of weight times the member's own logit
    plus its bias, over the members that judge images of that size.

    Weights are on uncalibrated logits; what the sum means is for the ensemble's calibration to say.
    """

    kind: Literal["ensemble"] = "ensemble"
    members: tuple[Member, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _judges_every_size(self) -> EnsembleSpec:
        for side in (1, *(member.sides[1] + 1 for member in self.members)):
            if side <= LARGEST_SIDE and not any(
                member.sides[0] <= side <= member.sides[1] for member in self.members
            ):
                raise ValueError(f"no member judges images whose shorter side is {side} pixels")
        return self

    def decision_for(self, height: int, width: int) -> Decision:
        """The rule, with the rates of the one member that judges images of that size, where its
        thresholds fall on the ensemble's: those rates were measured on such images.
        """
        side = min(height, width)
        judging = [m for m in self.members if m.sides[0] <= side <= m.sides[1]]
        if len(judging) != 1:
            return self.decision
        own = judging[0].spec.decision_for(height, width)
        pairs = ((own.generated, self.decision.generated), (own.real, self.decision.real))
        if not all(self._falls_on(judging[0], a.score, b.score) for a, b in pairs):
            return self.decision
        moved = [a.model_copy(update={"score": b.score}) for a, b in pairs]
        return self.decision.model_copy(update={"generated": moved[0], "real": moved[1]})

    def _falls_on(self, member: Member, own: float, common: float) -> bool:
        """Whether the score ``own`` of a member is the score ``common`` of the ensemble."""
        if own in (0, 1) or common in (0, 1):
            return own == common
        logit = member.weight * member.spec.calibration.logit(own) + member.bias
        return abs(self.calibration(logit) - common) < _SAME_SCORE

    def placed_networks(self, folder: Path = Path()) -> Iterator[PlacedNetwork]:
        """The networks of all members, however deep: weights multiplied, the bias once a member,
        with its first network, ranges of sides cut to what both allow.
        """
        for member in self.members:
            bias = member.bias
            for inner in member.spec.placed_networks(folder / member.folder):
                yield inner._replace(
                    weight=member.weight * inner.weight,
                    bias=member.weight * inner.bias + bias,
                    sides=(
                        max(member.sides[0], inner.sides[0]),
                        min(member.sides[1], inner.sides[1]),
                    ),
                )
                bias = 0.0

    @property
    def architecture_name(self) -> str:
        """All networks' architectures."""
        names = (network.architecture.name for network in self.networks)
        return f"ensemble of {', '.join(names)}"

    @property
    def sha256(self) -> str | None:
        """Hash of all networks and their weights."""
        return self.identity

    @property
    def identity(self) -> str | None:
        """Hash of all networks and their weights."""
        found = [
            (placed.weight, placed.spec.identity, *placed.sized)
            for placed in self.placed_networks()
        ]
        return hashlib.sha256(repr(found).encode()).hexdigest()

    @property
    def own_files(self) -> tuple[str, ...]:
        """The members' descriptions, which state the checksums of their files."""
        return tuple(f"{member.folder}/{SPEC_FILE}" for member in self.members)


class PlacedNetwork(NamedTuple):
    """A network of a detector, the factor on its pooled logit and what is added, the shorter sides
    of the images that it judges, and where its files lie.
    """

    weight: float
    bias: float
    sides: Sides
    folder: Path
    spec: NetworkSpec

    @property
    def sized(self) -> tuple[float | Sides, ...]:
        """Bias and sides where they say anything; nothing for a network that always judges."""
        return () if (self.bias, self.sides) == (0.0, ANY_SIDE) else (self.bias, self.sides)


def members_of(spec: DetectorSpec) -> list[str]:
    """The members' names behind the ensemble's, in `find_bundle`'s form, down to the networks:
    ``["pair/layers", "pair/whole", "small"]``. Empty for a network.
    """
    found: list[str] = []
    for member in spec.members if isinstance(spec, EnsembleSpec) else ():
        name = Path(member.folder).name
        found += [f"{name}/{inner}" for inner in members_of(member.spec)] or [name]
    return found
