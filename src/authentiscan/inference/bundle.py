"""The bundle: the folder a training run leaves and everything after training reads.

    model.onnx            `image` (N, 3, S, S) float32 -> `logits` (N,), `cam`, `cam_real` (N, h, w)
    weights.safetensors   the same weights for the torch backend
    detector.json         this module's `NetworkSpec`
    README.md             model card made from it

An ensemble is a bundle of bundles: `members/NAME/` instead of graph and weights, and an
`EnsembleSpec` that holds the checksum of each member's detector.json, which holds those of its
files. No pickle is read or written. A file whose SHA-256 is not the stated one is refused.
"""

from __future__ import annotations

import hashlib
import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from math import inf
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

from pydantic import Field, ValidationError, field_validator

from authentiscan.core.errors import (
    BundleError,
    BundleIntegrityError,
    BundleNotFoundError,
    BundleVersionError,
)
from authentiscan.core.files import write_text
from authentiscan.core.nested import read_json
from authentiscan.core.records import Record, mistakes
from authentiscan.images.preprocess import Preprocess
from authentiscan.inference.onnx_files import external_files
from authentiscan.inference.recorded_metrics import Json, Metrics, RecordedMetrics
from authentiscan.metrics.calibration import Calibration
from authentiscan.metrics.decision import Decision, Threshold

SPEC_FILE = "detector.json"
ONNX_FILE = "model.onnx"
WEIGHTS_FILE = "weights.safetensors"
CARD_FILE = "README.md"
MEMBERS = "members"
SCHEMA_VERSION = 1
LABELS = {0: "real", 1: "generated"}
Range: TypeAlias = tuple[float, float]
MOST_NESTED = 3
"""An ensemble of ensembles of ensembles of networks is as deep as bundles go."""

_MEMBER_FOLDER = rf"^{MEMBERS}/[A-Za-z0-9][A-Za-z0-9._-]*$"


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
    arguments: dict[str, Any] = Field(default_factory=dict)
    parameters: int = Field(ge=0)

    @field_validator("arguments")
    @classmethod
    def _bounded(cls, arguments: dict[str, Any]) -> dict[str, Any]:
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

    @abstractmethod
    def placed_networks(self, folder: Path = Path()) -> Iterator[PlacedNetwork]:
        """The networks of the detector in ``folder``: its logit is the sum of weight times pooled
        logit.
        """

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
    """A detector of one network."""

    kind: Literal["network"] = "network"
    architecture: Architecture
    preprocess: Preprocess

    def placed_networks(self, folder: Path = Path()) -> Iterator[PlacedNetwork]:
        """Itself, with weight 1."""
        yield PlacedNetwork(1.0, folder, self)

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
        """Graph and weights."""
        return ONNX_FILE, WEIGHTS_FILE


class Member(Record):
    """A detector in an ensemble.

    folder: of its bundle, below the ensemble's. weight: factor on its logit, at least 0, so that
    what speaks for generated in a member never speaks against it in the ensemble. spec: its own
    description, read from its folder and written there only.
    """

    folder: str = Field(pattern=_MEMBER_FOLDER)
    weight: float = Field(ge=0, allow_inf_nan=False)
    spec: DetectorSpec = Field(exclude=True)


class EnsembleSpec(DetectorSpec):
    """Several detectors that judge as one: logit = sum of weight times the member's own logit.

    Weights are on uncalibrated logits; what the sum means is for the ensemble's calibration to say.
    """

    kind: Literal["ensemble"] = "ensemble"
    members: tuple[Member, ...] = Field(min_length=1)

    def placed_networks(self, folder: Path = Path()) -> Iterator[PlacedNetwork]:
        """The networks of all members, however deep, with their weights multiplied."""
        for member in self.members:
            for weighted in member.spec.placed_networks(folder / member.folder):
                yield weighted._replace(weight=member.weight * weighted.weight)

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
        found = [(weighted.weight, weighted.spec.identity) for weighted in self.placed_networks()]
        return hashlib.sha256(repr(found).encode()).hexdigest()

    @property
    def own_files(self) -> tuple[str, ...]:
        """The members' descriptions, which state the checksums of their files."""
        return tuple(f"{member.folder}/{SPEC_FILE}" for member in self.members)


class PlacedNetwork(NamedTuple):
    """A network of a detector, the factor on its pooled logit, and where its files lie."""

    weight: float
    folder: Path
    spec: NetworkSpec


AnySpec = TypeVar("AnySpec", bound=DetectorSpec)
_KINDS: dict[str, type[DetectorSpec]] = {"network": NetworkSpec, "ensemble": EnsembleSpec}


def read_spec(bundle: Path | str, *, verify: bool = True) -> DetectorSpec:
    """Read and validate the bundle in folder ``bundle``; with ``verify`` also its files' checksums.

    Members of an ensemble are read, and verified, with it. Raises BundleNotFoundError,
    BundleVersionError, BundleIntegrityError or BundleError.
    """
    return _read_spec(Path(bundle), verify=verify, depth=0)


def _read_spec(folder: Path, *, verify: bool, depth: int) -> DetectorSpec:
    path = folder / SPEC_FILE
    if not path.is_file():
        raise BundleNotFoundError(
            f"no {SPEC_FILE} in {folder}: a bundle is the folder a training run left"
        )
    try:
        content = read_json(path)
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise BundleError(f"{path} is not readable JSON: {error}") from error
    if not isinstance(content, dict):
        raise BundleError(f"{path} holds no description of a detector")
    version = content.get("schema_version")
    if version != SCHEMA_VERSION:
        raise BundleVersionError(
            f"{path} has schema version {version!r}; this release reads {SCHEMA_VERSION}"
        )
    kind = content.setdefault("kind", "network")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise BundleVersionError(
            f"{path} describes a {kind!r}; this release reads {', '.join(_KINDS)}"
        )
    if kind == "ensemble":
        _read_members(content, folder, verify=verify, depth=depth)
    try:
        spec = _KINDS[kind].model_validate(content)
    except ValidationError as error:
        reason = mistakes(error)
        raise BundleError(f"{path} is not a valid detector description: {reason}") from error
    if verify:
        verify_files(folder, spec)
    return spec


def _read_members(content: dict[str, Any], folder: Path, *, verify: bool, depth: int) -> None:
    """Put each member's own description into its record; records of another shape stay as they are,
    for the validation to tell.
    """
    if depth + 1 > MOST_NESTED:
        raise BundleError(
            f"{folder}: ensembles are nested more than {MOST_NESTED} deep; use the inner members "
            "themselves"
        )
    listed = content.get("members")
    for record in listed if isinstance(listed, list) else ():
        if not isinstance(record, dict):
            continue
        record.pop("spec", None)
        name = record.get("folder")
        if not isinstance(name, str) or not re.fullmatch(_MEMBER_FOLDER, name):
            continue
        place = folder / name
        if place.resolve() != folder.resolve() / name:
            raise BundleIntegrityError(f"{place} is a link; a member lies in the ensemble's folder")
        record["spec"] = _read_spec(place, verify=verify, depth=depth + 1)


def verify_files(folder: Path, spec: DetectorSpec) -> None:
    """Raise BundleIntegrityError where a file is missing or its SHA-256 is not the stated one."""
    unstated = sorted(set(spec.own_files) - set(spec.files))
    if unstated:
        raise BundleIntegrityError(
            f"{folder / SPEC_FILE} states no checksum of {', '.join(unstated)}"
        )
    for name, expected in spec.files.items():
        path = folder / name
        if Path(name).name != name and name not in spec.own_files:
            raise BundleIntegrityError(
                f"{SPEC_FILE} names {name!r}, which is not a plain file name"
            )
        if not path.is_file():
            raise BundleIntegrityError(f"{path} is missing")
        found = file_sha256(path)
        if found != expected:
            raise BundleIntegrityError(
                f"{path} has SHA-256 {found}, {SPEC_FILE} states {expected}: the bundle was changed"
            )
    if ONNX_FILE in spec.files:
        _verify_outside(folder, spec.files)


def _verify_outside(folder: Path, files: Mapping[str, str]) -> None:
    """Refuse a graph that keeps tensors in files whose checksums the bundle does not state."""
    for name in sorted(external_files(folder / ONNX_FILE)):
        if name not in files:
            raise BundleIntegrityError(
                f"{folder / ONNX_FILE} keeps weights in {name!r}, of which {SPEC_FILE} states no "
                "checksum; export it as one file, or state it under `files`"
            )


def write_spec(folder: Path, spec: AnySpec) -> AnySpec:
    """Write detector.json last, with the checksums of its own files; the spec as written."""
    checksums = {name: file_sha256(folder / name) for name in (*spec.own_files, *spec.files)}
    written = spec.model_copy(update={"files": checksums})
    write_text(folder / SPEC_FILE, written.model_dump_json(indent=2) + "\n")
    return written


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
