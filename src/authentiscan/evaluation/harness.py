"""The harness: a manifest streamed through a detector exactly as it ships.

bytes -> images.decode -> protocol -> the bundle's Preprocess -> ONNX -> pooled logit
      -> calibrated score

One thread reads (in the order rows lie on disk), a few decode and infer; at most a few images are
in memory. An image that fails becomes a row with an error. With a cache folder scores are kept
under a key of detector, manifest and protocol, also while running, so that a stopped run goes on.
"""

from __future__ import annotations

import hashlib
import time
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.errors import AuthentiscanError
from authentiscan.core.parallel import Room, in_threads
from authentiscan.core.progress import Progress
from authentiscan.core.types import DecodedImage, ImageFacts, RGBImage
from authentiscan.evaluation.protocol import RAW, Protocol
from authentiscan.evaluation.scores import ScoreTable, blank_columns
from authentiscan.images.decode import decode
from authentiscan.images.degrade import Chain, image_rng
from authentiscan.images.history import needs_history
from authentiscan.inference.detector import Detector
from authentiscan.manifest.table import Manifest
from authentiscan.metrics.calibration import apply
from authentiscan.metrics.ranking import Floats

WORKERS = 2
_SAVE_EVERY = 30.0  # seconds between saves of a running table
_HELD_BYTES = 16 * 2**20  # of degraded copies of one image, per worker
_IN_FLIGHT = 4  # images read ahead of each worker


class Scorer(typing.Protocol):
    """Anything that can be measured. Called from several threads."""

    name: str
    identity: str | None
    """Hash of everything that decides its logits; None where unknown: then nothing is cached."""

    def logits(self, images: Sequence[RGBImage]) -> Floats:
        """Uncalibrated logit (N,) of each image (H, W, 3) uint8, positive for generated."""
        ...

    def scores(self, logits: Floats) -> Floats:
        """P(generated) in [0, 1] of logits (N,)."""
        ...


class BundleScorer:
    """A `Detector` as a scorer: crops of the given images share batches."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self.name = detector.spec.name
        self.identity = detector.spec.identity

    def logits(self, images: Sequence[RGBImage]) -> Floats:
        """Pooled logits (N,), equal to those behind `Detector.predict`."""
        return self.detector.logits(images)

    def scores(self, logits: Floats) -> Floats:
        """Calibrated scores (N,) of pooled logits."""
        return apply(self.detector.spec.calibration, logits)


def as_scorer(detector: Detector | Scorer) -> Scorer:
    """A scorer of a detector; a scorer itself unchanged."""
    return BundleScorer(detector) if isinstance(detector, Detector) else detector


def score_manifest(
    detector: Detector | Scorer,
    manifest: Manifest,
    degrade: Chain | Protocol | None = None,
    progress: Progress | None = None,
    *,
    cache: Path | None = None,
    workers: int = WORKERS,
    seed: int = 0,
) -> ScoreTable:
    """Score every image of ``manifest`` after ``degrade`` (a chain, a protocol, or nothing).

    What a chain draws depends on ``seed`` and the image's bytes alone. Images that cannot be read
    or decoded become rows with an error. ``cache`` is a folder for score tables to re-use.
    """
    if isinstance(degrade, Chain):
        degrade = Protocol(str(degrade), degrade)
    protocols = [degrade or RAW]
    return score_protocols(
        detector, manifest, protocols, progress, cache=cache, workers=workers, seed=seed
    )[0]


def score_protocols(
    detector: Detector | Scorer,
    manifest: Manifest,
    protocols: Sequence[Protocol],
    progress: Progress | None = None,
    *,
    cache: Path | None = None,
    workers: int = WORKERS,
    seed: int = 0,
) -> list[ScoreTable]:
    """One table per protocol, as `score_manifest`; each image is read and decoded once for all."""
    return score_panel(
        [detector], manifest, protocols, progress, cache=cache, workers=workers, seed=seed
    )[0]


def score_panel(
    detectors: Sequence[Detector | Scorer],
    manifest: Manifest,
    protocols: Sequence[Protocol],
    progress: Progress | None = None,
    *,
    cache: Path | None = None,
    workers: int = WORKERS,
    seed: int = 0,
) -> list[list[ScoreTable]]:
    """The tables of every detector, one per protocol: images are read, decoded and degraded once
    for all of them. Where a detector fails on an image, only its own row carries the error.
    """
    runs = [_Run(as_scorer(d), manifest, tuple(protocols), cache, seed) for d in detectors]
    _Pass(runs, manifest, tuple(protocols), seed).score(progress, workers)
    return [[run.table(i) for i in range(len(protocols))] for run in runs]


@dataclass(frozen=True, slots=True)
class _Scored:
    index: int
    logits: Floats | None
    facts: ImageFacts | None
    error: str | None


class _Run:
    """What one detector has said already, and what it still has to."""

    def __init__(
        self,
        scorer: Scorer,
        manifest: Manifest,
        protocols: tuple[Protocol, ...],
        cache: Path | None,
        seed: int,
    ) -> None:
        self.scorer, self.manifest, self.protocols, self.seed = scorer, manifest, protocols, seed
        self.sha256 = manifest.sha256()
        self.columns = blank_columns(manifest)
        self.stored_format = self.columns["format"]
        shape = (len(protocols), len(manifest))
        self.logits = np.full(shape, np.nan)
        self.done = np.zeros(shape, dtype=bool)
        self.errors: list[str | None] = [None] * len(manifest)
        self.started, self.earlier = time.perf_counter(), 0.0
        self.paths: list[Path] | None = None
        if cache is not None and scorer.identity is not None:
            self.content = self.sha256 + _stored_content(manifest)
            self.paths = [cache / f"{self._key(t)}.parquet" for t in protocols]
            for i in range(len(protocols)):
                self._restore(i)

    def table(self, i: int) -> ScoreTable:
        logits = self.logits[i]
        scores = np.full(len(logits), np.nan)
        good = np.isfinite(logits)
        scores[good] = self.scorer.scores(logits[good])
        return ScoreTable(
            labels=self.manifest.labels.astype(np.int64),
            scores=scores,
            logits=logits,
            columns=self.columns,
            errors=self.errors,
            protocol=self.protocols[i].name,
            detector=self.scorer.name,
            manifest_sha256=self.sha256,
            seconds=self.earlier + time.perf_counter() - self.started,
            meta={"done": self.done[i].tolist()} if not self.done[i].all() else {},
        )

    def missing(self, index: int) -> list[int]:
        """Protocols under which the image in row ``index`` is not scored yet."""
        return [i for i in range(len(self.protocols)) if not self.done[i, index]]

    def keep(self, scored: _Scored) -> None:
        i = scored.index
        if self.done[:, i].all():
            return  # read for another detector; what is known of it here stays
        if scored.logits is not None:
            fresh = ~self.done[:, i]
            self.logits[fresh, i] = scored.logits[fresh]
        self.done[:, i] = True
        self.errors[i] = scored.error
        if scored.facts is not None:
            facts = scored.facts
            # A crop kept as lossless WebP keeps the format its manifest states.
            self.columns["format"][i] = self.stored_format[i] or facts.format
            self.columns["sha256"][i] = facts.sha256
            self.columns["width"][i], self.columns["height"][i] = facts.width, facts.height
            if facts.jpeg_quality is not None:
                self.columns["jpeg_quality"][i] = facts.jpeg_quality

    def _key(self, protocol: Protocol) -> str:
        text = f"{self.scorer.identity}\n{self.content}\n{protocol.key}\n{self.seed}"
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    def _restore(self, i: int) -> None:
        assert self.paths is not None
        if not self.paths[i].is_file():
            return
        try:
            table = ScoreTable.read(self.paths[i])
        except AuthentiscanError:
            return  # a damaged cache is scored anew
        if len(table) != len(self.manifest):
            return
        self.done[i] = np.asarray(table.meta.get("done", [True] * len(table)), dtype=bool)
        self.logits[i] = np.where(self.done[i], table.logits, np.nan)
        for row in np.flatnonzero(self.done[i]):
            self.errors[row] = table.errors[row]
            for name, values in table.columns.items():
                self.columns[name][row] = values[row]
        self.earlier = max(self.earlier, table.seconds)

    def save(self) -> None:
        if self.paths is not None:
            for i, path in enumerate(self.paths):
                if self.done[i].any():
                    self.table(i).write(path)


class _Pass:
    """Takes every image once: read, decoded, degraded, then shown to every detector."""

    def __init__(
        self, runs: list[_Run], manifest: Manifest, protocols: tuple[Protocol, ...], seed: int
    ) -> None:
        self.runs, self.manifest, self.protocols, self.seed = runs, manifest, protocols, seed

    def score(self, progress: Progress | None, workers: int) -> None:
        done = np.all([run.done.all(axis=0) for run in self.runs], axis=0)
        todo = np.flatnonzero(~done)
        total, count = len(self.manifest), len(self.manifest) - len(todo)
        if progress:
            progress(count, total)
        if not len(todo):
            return
        saved = time.monotonic()
        try:
            for row in self._stream(todo, workers):
                for run, scored in zip(self.runs, row, strict=True):
                    run.keep(scored)
                count += 1
                if progress:
                    progress(count, total)
                if time.monotonic() - saved > _SAVE_EVERY:
                    self._save()
                    saved = time.monotonic()
        finally:
            self._save()

    def _save(self) -> None:
        for run in self.runs:
            run.save()

    def _stream(self, todo: NDArray[np.intp], workers: int) -> Iterator[list[_Scored]]:
        """Rows, scored by each detector, in the order read; a bounded number is under way."""
        room: Room[tuple[int, bytes | AuthentiscanError]] = Room(workers * _IN_FLIGHT)
        images = self.manifest.images(todo.tolist())
        return in_threads(images, self._score_one, workers, room, what="scoring images")

    def _score_one(self, given: tuple[int, bytes | AuthentiscanError]) -> list[_Scored]:
        index, data = given
        if isinstance(data, AuthentiscanError):
            return [_Scored(index, None, None, str(data)) for _ in self.runs]
        facts = None
        try:
            image = decode(data)
            facts = image.facts
            return self._judged(index, image, needs_history(data, facts))
        except AuthentiscanError as error:
            message = str(error)
        except MemoryError:
            message = "out of memory"
        return [_Scored(index, None, facts, message) for _ in self.runs]

    def _judged(self, index: int, image: DecodedImage, lossless: bool) -> list[_Scored]:
        """What each detector says; degraded copies are shown to all, a bounded number at a time."""
        missing = [run.missing(index) for run in self.runs]
        logits = np.full((len(self.runs), len(self.protocols)), np.nan)
        errors: list[str | None] = [None] * len(self.runs)
        held: dict[int, RGBImage] = {}
        wanted = sorted({i for one in missing for i in one})
        for i in wanted:
            rng = image_rng(self.seed, image.facts.sha256)
            held[i] = self.protocols[i](image.pixels, lossless, rng)
            if i != wanted[-1] and sum(h.size for h in held.values()) < _HELD_BYTES:
                continue
            for k, run in enumerate(self.runs):
                mine = [j for j in held if j in missing[k]]
                try:
                    if mine and errors[k] is None:
                        logits[k, mine] = run.scorer.logits([held[j] for j in mine])
                except AuthentiscanError as error:
                    errors[k] = str(error)
            held = {}
        return [
            _Scored(index, None if error else found, image.facts, error)
            for found, error in zip(logits, errors, strict=True)
        ]


def _stored_content(manifest: Manifest) -> str:
    """Hash of the images where the manifest's own hash does not cover them, empty where it does.

    Embedded bytes are read; of files their size and time have to do.
    """
    if all(value is not None for value in manifest.column("sha256")):
        return ""
    digest = hashlib.sha256()
    if "image" in manifest.table.column_names:
        for chunk in manifest.table["image"].chunks:
            for value in chunk:
                digest.update(value.as_py() or b"")
    for path in sorted({str(p) for p in manifest.column("path") if p is not None}):
        try:
            facts = manifest.place(path).stat()
        except OSError:
            continue
        digest.update(f"{path}\n{facts.st_size}\n{facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()
