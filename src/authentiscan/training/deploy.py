"""From trained weights to a calibrated bundle: what is measured is what is shipped.

The weights are written as a bundle, the bundle is loaded as users load it (ONNX Runtime, its own
preprocessing and crops), and that detector scores the validation part. Calibration, thresholds and
the inconclusive band come from those scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from authentiscan.core.errors import DecodeError, ManifestError
from authentiscan.core.progress import Progress
from authentiscan.evaluation.harness import score_manifest
from authentiscan.evaluation.protocol import named
from authentiscan.evaluation.recalibrate import doubts
from authentiscan.evaluation.scores import ScoreTable
from authentiscan.images import figures
from authentiscan.images.decode import decode
from authentiscan.inference import load_detector
from authentiscan.inference.recorded_metrics import RecordedMetrics
from authentiscan.inference.spec import DetectorSpec
from authentiscan.inference.update import update_spec
from authentiscan.manifest.table import Manifest
from authentiscan.metrics.calibration import fit_platt
from authentiscan.metrics.ranking import measure
from authentiscan.metrics.thresholds import at_fpr, choose_decision
from authentiscan.training.continual import lineage
from authentiscan.training.parts import Parts
from authentiscan.training.recipe import Deployment, Recipe, portable, recipe_sha256

if TYPE_CHECKING:
    from authentiscan.models.base import ImageClassifier


def deploy(
    recipe: Recipe,
    model: ImageClassifier,
    parts: Parts,
    folder: Path,
    progress: Progress | None = None,
    *,
    limits: Sequence[str] = (),
) -> tuple[DetectorSpec, ScoreTable]:
    """Write the bundle of ``model`` into ``folder``, calibrated on the validation part.

    limits: what it cannot do, beside what the recipe says.
    Gives the description as written and the calibrated scores of the validation images.
    """
    from authentiscan.inference.export import save_bundle

    save_bundle(
        model,
        folder,
        name=recipe.name,
        preprocess=recipe.preprocess,
        recipe=portable(recipe),
        recipe_sha256=recipe_sha256(recipe),
        data=parts.used,
        lineage=lineage(recipe),
        licence=recipe.licence,
        summary=recipe.summary,
        limits=(*recipe.limits, *limits),
    )
    update_spec(folder, typical=measure_typical(parts.train, seed=recipe.seed))
    scored = _score(recipe, parts.val, folder, progress)
    spec, table = calibrate(folder, scored, recipe.deployment)
    unsure = [f"Where its thresholds were set: {d}." for d in doubts(table, spec.decision)]
    return update_spec(folder, limits=(*spec.limits, *unsure)), table


def measure_typical(
    train: Manifest, *, sample: int = 4000, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """`DetectorSpec.typical` from ``sample`` training images; empty where none can be read."""
    rows = np.sort(np.random.default_rng([seed, 0x54595049]).permutation(len(train))[:sample])
    found = []
    for row in rows:
        try:
            found.append(figures.measure(decode(train.image_bytes(int(row))).pixels))
        except (DecodeError, ManifestError):
            continue  # training has counted and told them
    return figures.typical_ranges(found) if found else {}


def _score(recipe: Recipe, val: Manifest, folder: Path, progress: Progress | None) -> ScoreTable:
    protocol = named(recipe.deployment.protocol, val)
    return score_manifest(load_detector(folder), val, protocol, progress).scored()


def calibrate(
    folder: Path, table: ScoreTable, settings: Deployment
) -> tuple[DetectorSpec, ScoreTable]:
    """Fit the bundle's calibration, thresholds and verdict on ``table`` and write them into it.

    Gives the description as written and the table with calibrated scores.
    """
    calibration = fit_platt(table.logits, table.labels)
    table = table.recalibrated(calibration)
    measured_on = f"validation, {settings.protocol}, {len(table)} images"
    thresholds = {
        fpr: at_fpr(table.scores, table.labels, fpr, table.groups, measured_on=measured_on)
        for fpr in settings.fprs
    }
    decision = choose_decision(
        table.scores, table.labels, thresholds[settings.decide_at], settings.costs, table.groups
    )
    spec = update_spec(
        folder,
        calibration=calibration,
        thresholds=tuple(thresholds.values()),
        decision=decision,
        metrics=RecordedMetrics.read(
            {"validation": validation_metrics(table, decision.generated.score)}
        ),
    )
    return spec, table


def validation_metrics(table: ScoreTable, threshold: float) -> dict[str, object]:
    """Figures of the validation part: decisions at score 0.5, and by generator what the verdict's
    ``threshold`` does.
    """
    figures = measure(table.labels, table.scores, threshold=0.5)
    flagged: dict[str, list[bool]] = {}
    for generator, score in zip(table.column("generator"), table.scores, strict=True):
        flagged.setdefault(str(generator), []).append(bool(score >= threshold))
    return {
        "images": len(table),
        "protocol": table.protocol,
        "accuracies_at": 0.5,
        **{name: round(float(value), 6) for name, value in figures.items()},
        "called_generated": {
            name: {"images": len(hits), "share": round(sum(hits) / len(hits), 4)}
            for name, hits in sorted(flagged.items())
        },
    }
