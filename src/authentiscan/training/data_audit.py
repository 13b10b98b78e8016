"""Shortcuts in the images that a run learns from, told before the work and again at its end."""

from __future__ import annotations

import pyarrow as pa
from pydantic import Field

from authentiscan.checks.audit import Auditor
from authentiscan.checks.audit.audit_report import Message
from authentiscan.checks.audit.features import FILE_GROUPS
from authentiscan.core.errors import AuthentiscanError
from authentiscan.core.records import Record
from authentiscan.manifest.table import Manifest
from authentiscan.training.parts import Parts
from authentiscan.training.recipe import Recipe

IMAGES = 2000
"""Looked at: enough for an AUC to a few points, in some seconds."""

_LOUD = ("strong", "total")
_LOOKED_AT = (*FILE_GROUPS, "border")


class Giveaway(Record):
    """One fact that tells the classes apart without the picture. auc: how well, 0.5 to 1."""

    name: str
    auc: float = Field(ge=0, le=1)
    message: Message
    remedy: str


class DataAudit(Record):
    """What was found in the training images. images: how many were looked at."""

    images: int
    giveaways: tuple[Giveaway, ...] = ()
    problem: str = ""

    def lines(self) -> list[str]:
        """For people: one line a finding."""
        if self.problem:
            return [f"the training images could not be audited: {self.problem}"]
        if not self.giveaways:
            return [f"no shortcut of format, size or borders in {self.images:,} training images"]
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

    What the recipe's ``augment.history`` makes alike is left out.
    """
    tables = [parts.train.table, parts.val.table]
    whole = Manifest(pa.concat_tables(tables, promote_options="permissive"), parts.train.root)
    try:
        auditor = Auditor(limit=IMAGES, only=_LOOKED_AT, workers=workers, seed=recipe.seed)
        report = auditor(whole).report
    except AuthentiscanError as error:
        return DataAudit(images=0, problem=str(error))
    made_alike = set() if recipe.augment.history == "none" else {"format", "jpeg"}
    measured = report.measured[0]
    return DataAudit(
        images=measured.images,
        giveaways=tuple(
            Giveaway(
                name=finding.name,
                auc=measured.auc(finding.name),
                message=finding.message,
                remedy=finding.remedy,
            )
            for finding in report.findings
            if finding.severity in _LOUD and finding.name not in made_alike
        ),
    )
