"""The report: what `analyze` returns and every surface shows.

Its JSON schema is published as docs/report.schema.json. Existing keys keep their meaning; a change
that breaks a reader raises `SCHEMA_VERSION`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from authentiscan.attribution.result import Attribution
from authentiscan.core.files import reason
from authentiscan.core.records import Record
from authentiscan.core.text import printable
from authentiscan.core.types import ImageFacts, JsonObject, Prediction, Verdict
from authentiscan.provenance.records import Provenance

if TYPE_CHECKING:
    from authentiscan.inference.spec import DetectorSpec

SCHEMA_VERSION = 1


class Crop(Record):
    """A crop's place in pixels of the upright image and its score, P(generated) in [0, 1]."""

    left: int
    top: int
    width: int
    height: int
    score: float = Field(ge=0, le=1)


class ReportWarning(Record):
    """What makes the verdict less reliable; ``code`` is stable, ``message`` is for people."""

    code: str
    message: str


class StabilityTrial(Record):
    """The score of the image after one change, and the verdict its pixels would get then."""

    change: str
    score: float = Field(ge=0, le=1)
    verdict: Verdict


class Stability(Record):
    """What the score does when the same image is stored or scaled differently.

    flips: changes after which the pixels say the opposite (real instead of generated or reversed).
    largest_shift: largest distance from the original score, in [0, 1].
    complete: False where the time budget ended the trials early.
    """

    trials: tuple[StabilityTrial, ...]
    flips: tuple[str, ...]
    largest_shift: float = Field(ge=0, le=1)
    complete: bool
    milliseconds: float = Field(ge=0)

    @property
    def stable(self) -> bool:
        """True where no change turned the verdict round."""
        return not self.flips


class ImageInfo(Record):
    """Facts of the image file; see `authentiscan.core.types.ImageFacts`."""

    format: str
    width: int
    height: int
    bytes: int
    sha256: str
    jpeg_quality: int | None = None
    jpeg_subsampling: str | None = None
    orientation_applied: bool = False
    frames: int = 1
    has_alpha: bool = False
    colour_profile: str | None = None

    @classmethod
    def of(cls, facts: ImageFacts) -> ImageInfo:
        """The part of ``facts`` that a report shows."""
        return cls(**{name: getattr(facts, name) for name in cls.model_fields})


class ClipFrame(Record):
    """One frame that was judged, ``seconds`` after the clip's beginning.

    score: P(generated) in [0, 1]; verdict: by the rules of a still image. key: coded without any
    other frame, so the best preserved.
    """

    seconds: float = Field(ge=0)
    score: float = Field(ge=0, le=1)
    verdict: Verdict
    key: bool = False


class ClipInfo(Record):
    """What was judged of a video or an animation.

    asked: how many frames were wanted. notes: what kept further frames from being read.
    """

    codec: str
    seconds: float | None = None
    frame_rate: float | None = None
    bit_rate: int | None = None
    asked: int = Field(ge=1)
    frames: tuple[ClipFrame, ...]
    notes: tuple[str, ...] = ()


class ModelInfo(Record):
    """Which detector gave the score; ``sha256`` of its graph, or of all its networks."""

    name: str
    version: str
    architecture: str
    sha256: str | None = None

    @classmethod
    def of(cls, spec: DetectorSpec) -> ModelInfo:
        """The part of a detector's description that a report shows."""
        architecture = spec.architecture_name
        return cls(
            name=spec.name, version=spec.version, architecture=architecture, sha256=spec.sha256
        )


class Report(Record):
    """The verdict on one image and everything it rests on.

    path: what the caller gave, or the name given for bytes.
    verdict: ``generated``, ``real`` or ``inconclusive``; None where ``error`` is set.
    reason: one plain sentence that says why this verdict; rule: the rule of docs/verdict.md.
    score: P(generated) of the pixels in [0, 1], calibrated; 0 real, 1 generated.
    threshold: the score at or above which pixels count as generated; fpr: the share of real
        photographs at or above it on the data the detector was measured on.
    real_below: the score under which pixels count as real; miss: the share of generated images
        under it on the data the detector was measured on, None where that was never measured.
    rate: the error rate behind ``pixel_verdict`` as a sentence; empty where it is inconclusive.
    pixel_verdict: what score and thresholds alone say.
    crops, spread: score of every crop, and largest minus smallest.
    clip: of a video or an animation its frames, None for a still image. ``score`` is then the
        median of the frames' scores, ``spread`` the largest minus the smallest of them.
    stability, provenance: None where they were not asked for.
    attribution: the likely generator of an image whose verdict is ``generated``; None for others
        and where no attributor was given. It never changes the verdict.
    timings: milliseconds; ``decode_ms``, ``model_ms`` and ``total_ms`` always, others where run.
    error: None, or why there is no verdict; error_kind: the error's class.
    heatmap: (H, W) float32 in [0, 1], larger = speaks more for generated; not part of the JSON.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    schema_version: Literal[1] = 1
    path: str
    verdict: Verdict | None = None
    score: float | None = Field(default=None, ge=0, le=1)
    reason: str = ""
    rule: str = ""
    threshold: float | None = Field(default=None, ge=0, le=1)
    fpr: float | None = Field(default=None, ge=0, le=1)
    real_below: float | None = Field(default=None, ge=0, le=1)
    miss: float | None = Field(default=None, ge=0, le=1)
    rate: str = ""
    pixel_verdict: Verdict | None = None
    spread: float = Field(default=0.0, ge=0, le=1)
    crops: tuple[Crop, ...] = ()
    warnings: tuple[ReportWarning, ...] = ()
    stability: Stability | None = None
    provenance: Provenance | None = None
    attribution: Attribution | None = None
    image: ImageInfo | None = None
    clip: ClipInfo | None = None
    model: ModelInfo | None = None
    timings: dict[str, float] = Field(default_factory=dict)
    error: str | None = None
    error_kind: str | None = None
    heatmap: Annotated[NDArray[np.float32] | None, SkipJsonSchema()] = Field(
        default=None, exclude=True, repr=False
    )

    @classmethod
    def failed(cls, path: str, error: BaseException | str) -> Report:
        """The row of an image that could not be judged: no verdict, the error in its place."""
        if isinstance(error, str):
            return cls(path=path, error=error or "failed")
        text = reason(error) if isinstance(error, OSError) else str(error)
        kind = type(error).__name__
        return cls(path=path, error=printable(text) or "failed", error_kind=kind)

    def json_line(self) -> str:
        """The report as one line of JSON."""
        return self.model_dump_json()


def crops_of(prediction: Prediction) -> tuple[Crop, ...]:
    """The prediction's crops as report records."""
    return tuple(
        Crop(
            left=crop.box.left,
            top=crop.box.top,
            width=crop.box.width,
            height=crop.box.height,
            score=crop.score,
        )
        for crop in prediction.crops
    )


def json_schema() -> JsonObject:
    """The JSON schema of a report as it is written."""
    schema = Report.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


if __name__ == "__main__":  # how docs/report.schema.json is written
    import json
    import sys

    sys.stdout.write(json.dumps(json_schema(), indent=2) + "\n")
