"""Any detector as a scorer: bundles, ONNX files with a small description, Python callables, scores.

    runs/baseline               a bundle, as `inference.find_bundle` finds it; `default` is packaged
    rival.json                  an ONNX file's description, see `OnnxSpec`
    my_module:score             a callable: uint8 (H, W, 3) RGB -> P(generated) in [0, 1]
    scores.csv                  scores somebody else made: columns `name` (or `sha256`) and `score`

All but a CSV are run on exactly the same pixels as a bundle.
"""

from __future__ import annotations

import csv
import hashlib
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from authentiscan.core.csv_cells import restored
from authentiscan.core.errors import BundleNotFoundError, MetricError, UsageError
from authentiscan.core.files import file_sha256
from authentiscan.core.records import Record, mistakes
from authentiscan.core.types import RGBImage
from authentiscan.evaluation.harness import BundleScorer, Scorer
from authentiscan.evaluation.scores import ScoreTable, blank_columns
from authentiscan.images.preprocess import Preprocess
from authentiscan.inference.detector import load_detector
from authentiscan.inference.spec import SPEC_FILE, DetectorSpec
from authentiscan.manifest.table import Manifest
from authentiscan.metrics.calibration import Calibration, apply
from authentiscan.metrics.ranking import Floats

_CLIP = 1e-12


class OnnxSpec(Record):
    """How to run somebody's ONNX classifier: JSON beside the file.

    onnx: its file, relative to the JSON. preprocess: as in a bundle's detector.json (size, resize,
    mean, std ...). input, output: names, the first ones where left out. meaning: what the output
    is: ``logit`` or ``probability`` of generated (N,) or (N, 1), or ``logits`` of several classes
    (N, K), of which ``generated_index`` is the generated one. threshold: a score in [0, 1].
    """

    onnx: str
    name: str = ""
    preprocess: Preprocess
    input: str | None = None
    output: str | None = None
    meaning: Literal["logit", "probability", "logits"] = "logit"
    generated_index: int = Field(default=1, ge=0)
    threshold: float = Field(default=0.5, ge=0, le=1)


class OnnxScorer:
    """An ONNX file that is no bundle."""

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        """Read the description at ``path`` (JSON) and load its graph; UsageError where wrong."""
        import onnxruntime as ort

        from authentiscan.inference.onnx_backend import first_line

        try:
            self.spec = OnnxSpec.model_validate_json(path.read_bytes())
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}") from error
        except ValidationError as error:
            raise UsageError(
                f"{path} does not describe an ONNX detector: {mistakes(error)}"
            ) from error
        file = path.parent / self.spec.onnx
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4  # errors come as exceptions
        try:
            self.session = ort.InferenceSession(
                str(file), options, providers=["CPUExecutionProvider"], enable_fallback=0
            )
        except Exception as error:
            raise UsageError(
                f"{file} cannot be loaded by ONNX Runtime: {first_line(error)}"
            ) from error
        self.name = self.spec.name or path.stem
        text = file_sha256(file) + self.spec.model_dump_json()
        self.identity: str | None = hashlib.sha256(text.encode()).hexdigest()
        self.threshold = self.spec.threshold

    def logits(self, images: Sequence[RGBImage]) -> Floats:
        """Pooled logits (N,)."""
        return np.asarray([self._logit(image) for image in images])

    def scores(self, logits: Floats) -> Floats:
        """P(generated) of logits."""
        return apply(Calibration(), logits)

    def _logit(self, image: RGBImage) -> float:
        preprocess = self.spec.preprocess
        tensor = preprocess.tensor(preprocess.crops(image)[0])
        name = self.spec.input or self.session.get_inputs()[0].name
        output = self.spec.output or self.session.get_outputs()[0].name
        try:
            found = np.asarray(self.session.run([output], {name: tensor})[0], dtype=np.float64)
        except Exception as error:
            raise MetricError(f"{self.name} failed: {error}") from error
        found = found.reshape(len(tensor), -1)
        if self.spec.meaning == "logits":
            own = self.spec.generated_index
            if own >= found.shape[1]:
                raise MetricError(f"{self.name}: no class {own} among {found.shape[1]} outputs")
            rest = np.delete(found, own, axis=1)
            top = rest.max(axis=1, keepdims=True)
            others = np.log(np.exp(rest - top).sum(axis=1)) + top[:, 0]
            return preprocess.pool(found[:, own] - others)
        if found.shape[1] != 1:
            raise MetricError(f"{self.name} gives {found.shape[1]} figures a crop, expected 1")
        column = found[:, 0]
        return preprocess.pool(_logit(column) if self.spec.meaning == "probability" else column)


class CallableScorer:
    """A Python callable: pixels uint8 (H, W, 3) in, P(generated) in [0, 1] out."""

    def __init__(self, text: str) -> None:
        """Import ``module:callable``; UsageError where there is none."""
        module, _, attribute = text.partition(":")
        try:
            found: Any = importlib.import_module(module)
            for part in attribute.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError) as error:
            raise UsageError(
                f"cannot import {text!r}: {error}; is its folder on PYTHONPATH?"
            ) from error
        if not callable(found):
            raise UsageError(f"{text} is no callable but {type(found).__name__}")
        self._score: Callable[[RGBImage], float] = found
        self.name = text
        self.identity: str | None = None  # its code may change: never from a cache
        self.threshold = 0.5

    def logits(self, images: Sequence[RGBImage]) -> Floats:
        """Logits (N,) of the returned probabilities."""
        return _logit(np.asarray([self._checked(image) for image in images]))

    def scores(self, logits: Floats) -> Floats:
        """P(generated) of logits."""
        return apply(Calibration(), logits)

    def _checked(self, image: RGBImage) -> float:
        try:
            score = float(self._score(image))
        except Exception as error:  # somebody else's code: its failure is this image's failure
            raise MetricError(f"{self.name} failed: {type(error).__name__}: {error}") from error
        if not 0.0 <= score <= 1.0:
            raise MetricError(f"{self.name} returned {score}; expected P(generated) in 0..1")
        return score


@dataclass(frozen=True)
class Candidate:
    """A detector to compare: a scorer, or a file of scores; its threshold, and its spec if any."""

    name: str
    threshold: float
    scorer: Scorer | None = None
    spec: DetectorSpec | None = None
    scores_file: Path | None = None


def open_candidate(text: str, *, threads: int = 1) -> Candidate:
    """The detector that ``text`` names (see the module's table); ``name=`` before it renames it.

    Raises UsageError where it is none of the four, a BundleError leaf for a broken bundle.
    """
    given, equals, rest = text.partition("=")
    name = given if equals and "/" not in given else ""
    target = rest if name else text
    path = Path(target)
    if path.suffix == ".json" and path.is_file() and path.name != SPEC_FILE:
        onnx = OnnxScorer(path, threads=threads)
        onnx.name = name or onnx.name
        return Candidate(onnx.name, onnx.threshold, onnx)
    if path.suffix == ".csv" and path.is_file():
        return Candidate(name or path.stem, 0.5, scores_file=path)
    if ":" in target and not path.exists():
        called = CallableScorer(target)
        called.name = name or called.name
        return Candidate(called.name, called.threshold, called)
    try:
        detector = load_detector(target, threads=threads)
    except BundleNotFoundError as error:
        raise UsageError(
            f"{target!r} is no bundle folder, no .json description of an ONNX file, no "
            f"module:callable and no .csv of scores: {error}"
        ) from error
    scorer = BundleScorer(detector)
    scorer.name = name or scorer.name
    return Candidate(scorer.name, detector.spec.decision.generated.score, scorer, detector.spec)


def open_candidates(texts: Sequence[str]) -> list[Candidate]:
    """Every `open_candidate`; equal names, as of two runs of one recipe, get their text behind."""
    found = [open_candidate(text) for text in texts]
    names = [candidate.name for candidate in found]
    return [
        candidate if names.count(candidate.name) == 1 else _renamed(candidate, text)
        for candidate, text in zip(found, texts, strict=True)
    ]


def _renamed(candidate: Candidate, text: str) -> Candidate:
    name = f"{candidate.name} ({text.removesuffix('/').removesuffix('/bundle')})"
    if isinstance(candidate.scorer, BundleScorer | OnnxScorer | CallableScorer):
        candidate.scorer.name = name
    return replace(candidate, name=name)


def read_scores(path: Path, manifest: Manifest, name: str) -> ScoreTable:
    """A score table from a CSV with ``score`` and ``name``, ``path`` or ``sha256``.

    A file with the manifest's rows in the manifest's order is read row by row, any other by its
    key: rows of the manifest that it does not have get an error. Raises MetricError for files
    without those columns, scores outside [0, 1], or a key with two different scores.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    columns = blank_columns(manifest)
    keys = [k for k in ("sha256", "name", "path") if rows and k in rows[0]]
    if not any(columns["sha256"]):
        keys = [k for k in keys if k != "sha256"]
    if not rows or "score" not in rows[0] or not keys:
        raise MetricError(
            f"{path} needs the columns score and name or path, or sha256 where the manifest has it"
        )
    key = keys[0]
    own = [str(v) for v in (columns["sha256"] if key == "sha256" else columns["name"])]
    given = [_score(row["score"], path, line) for line, row in enumerate(rows, start=2)]
    named = [restored(row[key] or "") for row in rows]
    scores = np.asarray(given) if named == own else _by_key(named, given, own, path)
    return ScoreTable(
        labels=manifest.labels.astype(np.int64),
        scores=scores,
        logits=_logit(scores),
        columns=columns,
        errors=[f"not in {path.name}" if np.isnan(s) else None for s in scores],
        protocol="as scored elsewhere",
        detector=name,
        manifest_sha256=manifest.sha256(),
    )


def _logit(scores: NDArray[np.float64]) -> Floats:
    p = np.clip(scores, _CLIP, 1 - _CLIP)
    return np.asarray(np.log(p) - np.log1p(-p))


def _score(text: str | None, path: Path, line: int) -> float:
    """A score, NaN where the field is empty or no number."""
    try:
        value = float(text or "nan")
    except ValueError:
        return float("nan")
    if not (np.isnan(value) or 0.0 <= value <= 1.0):
        raise MetricError(f"{path}, line {line}: score {text} is not in 0..1")
    return value


def _by_key(keys: list[str], scores: list[float], wanted: list[str], path: Path) -> Floats:
    known: dict[str, float] = {}
    for line, (key, score) in enumerate(zip(keys, scores, strict=True), start=2):
        if known.setdefault(key, score) != score and not np.isnan(score):
            raise MetricError(f"{path}, line {line}: {key} has two different scores")
    return np.asarray([known.get(key, np.nan) for key in wanted])
