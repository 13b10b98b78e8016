"""The steps of a pipeline: what each is made from, whether that was done already, and doing it."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal, Protocol

from authentiscan.core.errors import TrainingError
from authentiscan.core.files import whole_folder
from authentiscan.core.progress import Progress
from authentiscan.evaluation.report import file_name
from authentiscan.inference.bundle import read_spec
from authentiscan.inference.spec import SPEC_FILE
from authentiscan.manifest.table import Manifest
from authentiscan.pipeline.config import CrossSettings, GradcamSettings
from authentiscan.pipeline.data import DataPart
from authentiscan.training.leavings import write_json
from authentiscan.training.machine import Machine
from authentiscan.training.recipe import Recipe, recipe_sha256
from authentiscan.training.reporter import Reporter
from authentiscan.training.run import BUNDLE, train
from authentiscan.training.runs import read_run

FORMAT = 1
"""Raised when other code would make other results of the same recipes, data and settings."""
DONE = "done.json"
_TIMED_IMAGES = 8

State = Literal["done", "begun", "new", "waits"]
"""Nothing to do; can be gone on with; to do; to do once the detectors are there."""


@dataclass(frozen=True)
class Status:
    """Where a step stands and why."""

    state: State
    why: str


class Step(Protocol):
    """A piece of work that leaves a folder and knows whether it was done."""

    @property
    def name(self) -> str:
        """What tables call it."""
        ...

    @property
    def phase(self) -> int:
        """1 to 4."""
        ...

    @property
    def folder(self) -> Path:
        """Where its results lie."""
        ...

    def status(self) -> Status:
        """Where it stands, by what lies on the disk."""
        ...

    def run(self, reporter: Reporter) -> None:
        """Do it, or go on with it."""
        ...


@dataclass(frozen=True)
class TrainingStep:
    """A detector: trained, calibrated, its bundle copied to where it has a lasting name.

    The run's folder carries the hash of recipe and data, so that runs of earlier configurations
    stay and are found again.
    """

    name: str
    phase: int
    recipe: Recipe
    data: tuple[DataPart, ...]
    output: Path
    machine: Machine

    @property
    def key(self) -> str:
        """Hash of all that decides the weights."""
        return _hash(FORMAT, recipe_sha256(self.recipe), *(part.sha256 for part in self.data))

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.output / "runs" / f"{self.name}-{self.key[:12]}"

    @property
    def bundle(self) -> Path:
        """The bundle in it."""
        return self.folder / BUNDLE

    @property
    def published(self) -> Path:
        """A copy of the bundle whose path does not depend on the recipe."""
        return self.output / "bundles" / self.name

    def status(self) -> Status:
        """Done where the bundle is whole; begun where there is a checkpoint or a first epoch."""
        if _done(self.folder, self.key):
            return Status("done", f"same recipe and data: {self.key[:12]}")
        if not self.folder.is_dir():
            return Status("new", f"no run of this recipe on these data: {self.key[:12]}")
        facts = read_run(self.folder)
        return Status("begun", f"goes on after {facts.epochs} of {facts.planned} epochs")

    def run(self, reporter: Reporter) -> None:
        """Train, or go on from the last checkpoint; then time predictions with the bundle."""
        result = train(
            self.recipe, output=self.folder, resume=True, machine=self.machine, reporter=reporter
        )
        if result.spec is None:
            raise TrainingError(f"{self.name}: training ended before its bundle was written")
        seconds = max(seconds_per_prediction(self.bundle, part.test()) for part in self.data)
        write_json(self.folder / DONE, {"key": self.key, "seconds_per_prediction": seconds})

    def publish(self) -> None:
        """Copy the bundle to `published` where another one, or none, lies there."""
        source, target = self.bundle, self.published
        if (target / SPEC_FILE).is_file() and _made(target) == _made(source):
            return  # it may hold figures that were recorded since
        with whole_folder(target, replaces=_ours) as partial:
            shutil.copytree(source, partial, dirs_exist_ok=True)


@dataclass(frozen=True)
class _Measured:
    """What phases 3 and 4 have in common: made from bundles and test parts."""

    detectors: tuple[TrainingStep, ...]
    data: Mapping[str, DataPart]
    output: Path

    def _status(self, folder: Path, settings: object) -> Status:
        lacking = [d.name for d in self.detectors if d.status().state != "done"]
        if lacking:
            return Status("waits", f"for {', '.join(lacking)}")
        key = self._key(settings)
        if _done(folder, key):
            return Status("done", f"same detectors, data and settings: {key[:12]}")
        if (folder / DONE).is_file():
            return Status("new", "made from other detectors, data or settings")
        return Status("new", "not done yet")

    def _key(self, settings: object) -> str:
        bundles = [[d.name, *_decides(d.bundle)] for d in self.detectors]
        data = [[name, part.sha256] for name, part in self.data.items()]
        return _hash(FORMAT, bundles, data, settings)

    def _replace(self, folder: Path, settings: object, make: Callable[[Path], None]) -> None:
        """Let ``make`` fill a new folder, which takes the place of ``folder`` once it is whole."""
        with whole_folder(folder, replaces=_ours) as partial:
            make(partial)
            write_json(partial / DONE, {"key": self._key(settings)})


@dataclass(frozen=True)
class CrossStep(_Measured):
    """Every detector on the test part of every data set, under one protocol."""

    protocol: str
    settings: CrossSettings
    phase: int = 3

    @property
    def name(self) -> str:
        """By its protocol."""
        return f"cross-validation, {self.protocol}"

    @property
    def folder(self) -> Path:
        """Page, figures and tables."""
        return self.output / "cross" / file_name(self.protocol)

    def status(self) -> Status:
        """Done where detectors, test images and settings are the same."""
        return self._status(self.folder, self._decisive())

    def run(self, reporter: Reporter) -> None:
        """Score and measure; scores are kept, so that an interrupted run goes on."""
        from authentiscan.datasets.open import NamedData
        from authentiscan.evaluation.adapters import open_candidate
        from authentiscan.evaluation.cross_dataset import cross_evaluate
        from authentiscan.evaluation.cross_page import write_cross_evaluation
        from authentiscan.evaluation.judges import judge_of_candidate
        from authentiscan.evaluation.slices import Options

        sources = [NamedData(name, part.test()) for name, part in self.data.items()]
        candidates = [open_candidate(f"{d.name}={d.bundle}") for d in self.detectors]
        found = cross_evaluate(
            candidates,
            sources,
            home=homes(self.detectors),
            protocol=self.protocol,
            options=Options(rounds=self.settings.bootstrap, seed=self.settings.seed),
            cache=self.output / "scores",
            progress=lambda what: _reported(reporter, f"{what}, {self.protocol}"),
            workers=self.settings.workers,
        )
        manifests = {source.name: source.manifest for source in sources}
        judges = [judge_of_candidate(candidate) for candidate in candidates]
        self._replace(
            self.folder,
            self._decisive(),
            lambda folder: _ignore(write_cross_evaluation(found, manifests, folder, judges)),
        )

    def _decisive(self) -> list[object]:
        return [self.protocol, self.settings.bootstrap, self.settings.seed]


@dataclass(frozen=True)
class GradcamStep(_Measured):
    """Where every detector looks on the same test images of every data set."""

    settings: GradcamSettings
    phase: int = 4

    @property
    def name(self) -> str:
        """The same for all."""
        return "Grad-CAM"

    @property
    def folder(self) -> Path:
        """Overlays, tables and pictures."""
        return self.output / "gradcam"

    def status(self) -> Status:
        """Done where detectors, test images and settings are the same."""
        return self._status(self.folder, self.settings.model_dump())

    def run(self, reporter: Reporter) -> None:
        """Explain; what was found on an image is kept until all of it is there."""
        from authentiscan.explain.compare import compare
        from authentiscan.inference import load_detector

        samples, seed = self.settings.samples, self.settings.seed
        tests = {name: part.test() for name, part in self.data.items()}
        images = sum(min(samples, len(manifest)) for manifest in tests.values())
        detectors = {d.name: load_detector(d.bundle) for d in self.detectors}
        reporter.start("Grad-CAM", images * len(detectors))
        all_kept = self.folder.with_name(f".{self.folder.name}.kept")
        kept = all_kept / self._key(self.settings.model_dump())[:12]
        self._replace(
            self.folder,
            self.settings.model_dump(),
            lambda folder: _ignore(
                compare(
                    detectors,
                    tests,
                    folder,
                    samples=samples,
                    seed=seed,
                    kept=kept,
                    progress=reporter.step,
                )
            ),
        )
        shutil.rmtree(all_kept, ignore_errors=True)


def homes(detectors: Sequence[TrainingStep]) -> dict[str, str]:
    """Detector -> the data set it was trained on, of those trained on one."""
    return {d.name: d.recipe.data[0].name for d in detectors if len(d.recipe.data) == 1}


def seconds_per_prediction(bundle: Path, images: Manifest, count: int = _TIMED_IMAGES) -> float:
    """Wall-clock seconds of one prediction from encoded bytes to score, the median of a few."""
    from authentiscan.inference import load_detector

    detector = load_detector(bundle)
    taken = []
    for index in range(min(count + 1, len(images))):
        data = images.image_bytes(index)
        started = time.perf_counter()
        detector.predict(data)
        taken.append(time.perf_counter() - started)
    return median(taken[1:] or taken)  # the first one warms up


def _ours(_folder: Path) -> bool:
    return True  # everything inside the output folder is the pipeline's own


def _reported(reporter: Reporter, title: str) -> Progress:
    """`Progress` as a reporter shows it."""
    begun = False

    def update(done: int, total: int | None) -> None:
        nonlocal begun
        if begun:
            reporter.step()
        else:
            reporter.start(title, total or 0, done)
            begun = True

    return update


def _made(bundle: Path) -> tuple[str | None, str]:
    spec = read_spec(bundle, verify=False)
    return spec.identity, spec.created.isoformat()


def _decides(bundle: Path) -> list[object]:
    """What of a bundle decides scores and verdicts; figures recorded in it do not."""
    spec = read_spec(bundle, verify=False)
    return [spec.identity, spec.calibration.model_dump(), spec.decision.model_dump()]


def _ignore(_: object) -> None:
    """For results that lie on the disk."""


def _done(folder: Path, key: str) -> bool:
    try:
        content = json.loads((folder / DONE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("key") == key


def _hash(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
