"""Shortcuts in the images that a run learns from, told before the work and again at its end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from pydantic import Field

from authentiscan.checks.audit import Auditor
from authentiscan.checks.audit.audit_report import Audit, Message
from authentiscan.core.errors import AuthentiscanError, DecodeError
from authentiscan.core.records import Record
from authentiscan.images.decode import read_header_facts
from authentiscan.images.history import FEWEST, needs_history
from authentiscan.manifest.table import Manifest
from authentiscan.training.parts import Parts
from authentiscan.training.recipe import Recipe

IMAGES = 2000
"""Looked at: enough for an AUC to a few points, in some seconds."""

_LOUD = ("strong", "total")
_SHAPE = ("size", "border")
_COMPRESSION = ("format", "jpeg")
"""Metadata and bytes a pixel are left out: no network sees them."""
_WORDS = {"jpeg": "JPEG setting", "border": "borders"}


class Giveaway(Record):
    """One fact that tells the classes apart without the picture. auc: how well, 0.5 to 1."""

    name: str
    auc: float = Field(ge=0, le=1)
    message: Message
    remedy: str


class DataAudit(Record):
    """What was found in the training images. images: how many were looked at. aucs: how well each
    fact tells the classes apart, 0.5 to 1.
    """

    images: int
    giveaways: tuple[Giveaway, ...] = ()
    aucs: dict[str, float] = Field(default_factory=dict)
    problem: str = ""

    def lines(self) -> list[str]:
        """For people: one line a finding."""
        if self.problem:
            return [f"the training images could not be audited: {self.problem}"]
        if not self.giveaways:
            found = ", ".join(f"{_WORDS.get(n, n)} {auc:.2f}" for n, auc in self.aucs.items())
            return [
                f"no strong shortcut in {self.images:,} training images; what tells the classes "
                f"apart without the picture (AUC, 0.5 is chance): {found or 'nothing looked at'}"
            ]
        return [f"{one.message} {one.remedy}" for one in self.giveaways]

    def limits(self) -> tuple[str, ...]:
        """For the card: what the detector may have learned instead of pictures."""
        return tuple(
            f"Its training images could be told apart by {one.name} (AUC {one.auc:.2f}), "
            "so it may have learned that in part."
            for one in self.giveaways
        )


def audit_data(parts: Parts, recipe: Recipe, *, workers: int = 1) -> DataAudit:
    """Audit the images that are learned from and chosen by; never raises for what it finds there.

    Compression counts as far as the recipe's ``augment.history`` leaves it: ``match`` makes only
    those images alike that were stored without a JPEG generation, ``every`` all of them.
    """
    tables = [parts.train.table, parts.val.table]
    whole = Manifest(pa.concat_tables(tables, promote_options="permissive"), parts.train.root)
    try:
        reports = [_report(whole, _SHAPE, recipe, workers)]
        compressed = _compression_left(whole, recipe)
        if compressed is not None:
            reports.append(_report(compressed, _COMPRESSION, recipe, workers))
    except AuthentiscanError as error:
        return DataAudit(images=0, problem=str(error))
    return DataAudit(
        images=reports[0].measured[0].images,
        giveaways=tuple(one for report in reports for one in _giveaways(report)),
        aucs={s.name: s.auc for report in reports for s in report.measured[0].shortcuts},
    )


def _report(images: Manifest, facts: Sequence[str], recipe: Recipe, workers: int) -> Audit:
    return Auditor(limit=IMAGES, only=facts, workers=workers, seed=recipe.seed)(images).report


def _giveaways(report: Audit) -> list[Giveaway]:
    measured = report.measured[0]
    return [
        Giveaway(name=f.name, auc=measured.auc(f.name), message=f.message, remedy=f.remedy)
        for f in report.findings
        if f.severity in _LOUD
    ]


def _compression_left(whole: Manifest, recipe: Recipe) -> Manifest | None:
    """The images whose compression the network meets as it was stored; None where they are too few
    to tell anything.
    """
    how = recipe.augment.history
    if how != "match":
        return whole if how == "none" else None
    drawn = np.random.default_rng(recipe.seed).permutation(len(whole))[: 2 * IMAGES]
    kept = [row for row, data in whole.images(drawn.tolist()) if _keeps_compression(data)]
    left = whole.take(np.sort(np.asarray(kept, dtype=np.int64)))
    classes = np.bincount(left.labels.astype(np.int64), minlength=2)
    return left if min(classes) >= FEWEST else None


def _keeps_compression(data: bytes | AuthentiscanError) -> bool:
    if isinstance(data, AuthentiscanError):
        return False
    try:
        return not needs_history(data, read_header_facts(data))
    except DecodeError:
        return False
