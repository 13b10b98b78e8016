"""The bundle: the folder a training run leaves and everything after training reads.

    model.onnx            `image` (N, 3, S, S) float32 -> `logits` (N,), `cam`, `cam_real` (N, h, w)
    weights.safetensors   the same weights for the torch backend
    detector.json         this module's `DetectorSpec`
    README.md             model card made from it

No pickle is read or written. A file whose SHA-256 differs from detector.json is refused.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from authentiscan.core.errors import (
    BundleError,
    BundleIntegrityError,
    BundleNotFoundError,
    BundleVersionError,
)
from authentiscan.core.preprocess import Preprocess
from authentiscan.core.types import Verdict

SPEC_FILE = "detector.json"
ONNX_FILE = "model.onnx"
WEIGHTS_FILE = "weights.safetensors"
CARD_FILE = "README.md"
SCHEMA_VERSION = 1


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Architecture(_Record):
    """Which model family, built with which arguments (see `authentiscan.models.create`)."""

    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    parameters: int = Field(ge=0)


class Calibration(_Record):
    """How a pooled logit becomes the calibrated score.

    ``platt``: sigmoid(slope * logit + intercept) (temperature scaling where intercept is 0).
    ``isotonic``: linear interpolation of ``scores`` over increasing ``logits``.
    """

    kind: Literal["platt", "isotonic"] = "platt"
    slope: float = 1.0
    intercept: float = 0.0
    logits: tuple[float, ...] = ()
    scores: tuple[float, ...] = ()

    def __call__(self, logit: float) -> float:
        """Calibrated P(generated) in [0, 1] of one logit."""
        if self.kind == "isotonic":
            return float(np.interp(logit, self.logits, self.scores))
        return sigmoid(self.slope * logit + self.intercept)


class Threshold(_Record):
    """A score at or above which an image is called generated, and what that costs.

    fpr: share of real photographs at or above it on the validation data named in ``measured_on``.
    fpr_interval: its 95 % interval. tpr: share of generated images at or above it.
    """

    name: str
    score: float = Field(ge=0, le=1)
    fpr: float = Field(ge=0, le=1)
    fpr_interval: tuple[float, float]
    tpr: float = Field(ge=0, le=1)
    measured_on: str


class Decision(_Record):
    """The rule from score to verdict.

    At or above ``generated`` is generated, below ``real_below`` is real, between them inconclusive.
    """

    generated: Threshold
    real_below: float = Field(ge=0, le=1)

    def __call__(self, score: float) -> Verdict:
        """The verdict of a calibrated score in [0, 1]."""
        if score >= self.generated.score:
            return Verdict.GENERATED
        return Verdict.REAL if score < self.real_below else Verdict.INCONCLUSIVE


class DataUse(_Record):
    """A manifest that training read: its hash and how many images each split had."""

    name: str
    sha256: str
    images: dict[str, int]
    licence: str | None = None


class DetectorSpec(_Record):
    """Everything a detector is, apart from its weights. Validated, versioned, complete.

    typical: per figure of `authentiscan.core.figures` the range that 99 % of the training images
    lie in; an image outside is far from what the detector knows. Empty where not measured.
    """

    schema_version: Literal[1] = 1
    name: str
    version: str = "1"
    created: datetime
    architecture: Architecture
    preprocess: Preprocess
    labels: dict[int, str] = Field(default_factory=lambda: {0: "real", 1: "generated"})
    calibration: Calibration = Calibration()
    decision: Decision
    thresholds: tuple[Threshold, ...] = ()
    metrics: dict[str, Any] = Field(default_factory=dict)
    typical: dict[str, tuple[float, float]] = Field(default_factory=dict)
    recipe: dict[str, Any] = Field(default_factory=dict)
    recipe_sha256: str = ""
    data: tuple[DataUse, ...] = ()
    libraries: dict[str, str] = Field(default_factory=dict)
    licence: str = "Apache-2.0"
    summary: str = ""
    limits: tuple[str, ...] = ()
    files: dict[str, str] = Field(default_factory=dict)


def sigmoid(logit: float) -> float:
    """Probability of a logit, without overflow."""
    return float(1.0 / (1.0 + np.exp(-np.clip(logit, -60.0, 60.0))))


def read_spec(bundle: Path | str, *, verify: bool = True) -> DetectorSpec:
    """Read and validate the bundle in folder ``bundle``; with ``verify`` also its files' checksums.

    Raises BundleNotFoundError, BundleVersionError, BundleIntegrityError or BundleError.
    """
    folder = Path(bundle)
    path = folder / SPEC_FILE
    if not path.is_file():
        raise BundleNotFoundError(
            f"no {SPEC_FILE} in {folder}: a bundle is the folder a training run left"
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} is not readable JSON: {error}") from error
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        raise BundleVersionError(
            f"{path} has schema version {version!r}; this release reads {SCHEMA_VERSION}"
        )
    try:
        spec = DetectorSpec.model_validate(content)
    except ValidationError as error:
        raise BundleError(f"{path} is not a valid detector description: {error}") from error
    if verify:
        verify_files(folder, spec)
    return spec


def verify_files(folder: Path, spec: DetectorSpec) -> None:
    """Raise BundleIntegrityError where a file is missing or its SHA-256 is not the stated one."""
    for name, expected in spec.files.items():
        path = folder / name
        if Path(name).name != name:
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


def write_spec(folder: Path, spec: DetectorSpec, files: tuple[str, ...]) -> DetectorSpec:
    """Write detector.json last, with the checksums of ``files``; returns the spec as written."""
    checksums = {name: file_sha256(folder / name) for name in files}
    written = spec.model_copy(update={"files": checksums})
    partial = folder / (SPEC_FILE + ".partial")
    partial.write_text(written.model_dump_json(indent=2) + "\n", encoding="utf-8")
    partial.replace(folder / SPEC_FILE)
    return written


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
