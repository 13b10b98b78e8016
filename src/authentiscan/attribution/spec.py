"""The bundle of an attributor: the same kind of folder as a detector's.

    model.onnx      `image` (N, 3, S, S) float32 -> `features` (N, D): whitened embedding
    detector.json   this module's `AttributorSpec`
    README.md       model card made from it

A trained one also holds weights.safetensors. No pickle is read or written. A file whose SHA-256 is
not the stated one is refused.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from authentiscan.attribution.result import UNKNOWN
from authentiscan.core.errors import BundleError
from authentiscan.core.files import file_sha256, write_text
from authentiscan.core.records import Record, mistakes
from authentiscan.core.types import CAMERA
from authentiscan.images.preprocess import Preprocess
from authentiscan.inference.bundle import ATTRIBUTOR, read_description, verify_files
from authentiscan.inference.recorded_metrics import Json, Metrics, RecordedMetrics
from authentiscan.inference.spec import ONNX_FILE, SPEC_FILE, Architecture, DataUse

MOST_GENERATORS = 1000
MOST_WIDTH = 4096
MOST_NAME = 200
"""Characters of a generator's name."""


class Generator(Record):
    """A known generator.

    prototype: its mean whitened embedding (D,). images: how many it was made from. registered:
    added to a finished attributor, not trained. uncertainty: expected squared distance of the
    prototype from the true mean, which few images give only roughly. logit: (D + 1) numbers, what
    the trained linear layer makes of a whitened embedding: factors, then the constant. Empty for a
    registered one.
    """

    name: str = Field(min_length=1, max_length=MOST_NAME)
    prototype: tuple[float, ...] = Field(min_length=1, max_length=MOST_WIDTH)
    images: int = Field(ge=1)
    registered: bool = False
    uncertainty: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    logit: tuple[float, ...] = Field(default=(), max_length=MOST_WIDTH + 1)

    @field_validator("prototype", "logit")
    @classmethod
    def _finite(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if not all(abs(value) < 1e6 for value in values):
            raise ValueError("a prototype's numbers are finite")
        return values


class LogitTerm(Record):
    """How logits and distances are joined: `Prototypes.squared_distances` says to what.

    weight: of a logit beside a squared distance. own: mean logit of an image's own generator on
    held-out images; it stands in for the logit that a registered generator lacks. top: the largest.
    """

    weight: float = Field(gt=0, allow_inf_nan=False)
    own: float = Field(allow_inf_nan=False)
    top: float = Field(allow_inf_nan=False)


class AttributorSpec(Record):
    """What an attributor states of itself.

    generators: the known ones; `camera` may be among them, so that photographs have a place.
    logits: how the trained linear layer takes part; None where distances alone decide.
    temperature: what squared distances are divided by before they become probabilities.
    distances: of held-out images of known generators to the nearest prototype, squared, sorted;
        an image's fit is the share of them that are at least as large as its own.
    least_fit: fits under this are `unknown`.
    metrics: what was measured, with 95 % intervals.
    """

    schema_version: Literal[1] = 1
    kind: Literal["attributor"] = "attributor"
    name: str
    version: str = "1"
    created: datetime
    architecture: Architecture
    preprocess: Preprocess
    generators: tuple[Generator, ...] = Field(min_length=2, max_length=MOST_GENERATORS)
    logits: LogitTerm | None = None
    temperature: float = Field(gt=0, allow_inf_nan=False)
    distances: tuple[float, ...] = Field(min_length=1, max_length=10_000)
    least_fit: float = Field(default=0.05, ge=0, le=1)
    metrics: Metrics = RecordedMetrics()
    recipe: Json = Field(default_factory=dict)
    data: tuple[DataUse, ...] = ()
    libraries: dict[str, str] = Field(default_factory=dict)
    licence: str = "Apache-2.0"
    summary: str = ""
    limits: tuple[str, ...] = ()
    files: dict[str, str] = Field(default_factory=dict)

    @field_validator("distances")
    @classmethod
    def _rising(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 <= value < 1e12 for value in values) or list(values) != sorted(values):
            raise ValueError("distances are finite, at least 0, and rise")
        return values

    @model_validator(mode="after")
    def _of_one_kind(self) -> AttributorSpec:
        names = [generator.name for generator in self.generators]
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        if twice or UNKNOWN in names:
            raise ValueError(
                f"a generator's name is its own and not {UNKNOWN!r}; "
                f"given more than once: {', '.join(twice) or 'none'}"
            )
        widths = sorted({len(generator.prototype) for generator in self.generators})
        if len(widths) > 1:
            raise ValueError(f"prototypes have {widths} numbers; all must have as many")
        for generator in self.generators if self.logits is not None else ():
            if len(generator.logit) != (0 if generator.registered else widths[0] + 1):
                raise ValueError(
                    f"the logit of {generator.name!r} has {len(generator.logit)} numbers; a "
                    f"trained generator's has {widths[0] + 1}, a registered one has none"
                )
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the generators, photographs left out."""
        return tuple(g.name for g in self.generators if g.name != CAMERA)

    @property
    def own_files(self) -> tuple[str, ...]:
        """The file that decides what the attributor says, beside its description."""
        return (ONNX_FILE,)

    @property
    def identity(self) -> str | None:
        """Hash of graph, preprocessing and prototypes."""
        if not self.files:
            return None
        parts = (
            repr(sorted(self.files.items())),
            self.preprocess.model_dump_json(),
            *(g.model_dump_json() for g in self.generators),
            repr((self.temperature, self.distances, self.least_fit, self.logits)),
        )
        return hashlib.sha256("".join(parts).encode()).hexdigest()


def read_attributor(bundle: Path | str, *, verify: bool = True) -> AttributorSpec:
    """Read and validate the attributor in folder ``bundle``; with ``verify`` its checksums too.

    Raises BundleNotFoundError, BundleVersionError, BundleIntegrityError, or BundleError, also where
    the bundle is a detector's.
    """
    folder = Path(bundle)
    path = folder / SPEC_FILE
    content = read_description(folder)
    if content.get("kind", "network") != ATTRIBUTOR:
        raise BundleError(
            f"{folder} is a detector, not an attributor: it says generated or real, and names no "
            "generator; use it with --model"
        )
    try:
        spec = AttributorSpec.model_validate(content)
    except ValidationError as error:
        raise BundleError(
            f"{path} is not a valid description of an attributor: {mistakes(error)}"
        ) from error
    if verify:
        verify_files(folder, spec)
    return spec


def write_attributor(folder: Path, spec: AttributorSpec) -> AttributorSpec:
    """Write detector.json last, with the checksums of its files; the spec as written."""
    names = {*spec.own_files, *spec.files}
    sums = {name: file_sha256(folder / name) for name in sorted(names)}
    written = spec.model_copy(update={"files": sums})
    write_text(folder / SPEC_FILE, written.model_dump_json(indent=1) + "\n")
    return written
