"""Verify from end to end: inspect, check, report, and clean where asked."""

from __future__ import annotations

import csv
import time
from dataclasses import dataclass
from pathlib import Path

from authentiscan.checks.verify import checks
from authentiscan.checks.verify.checks import CopySet
from authentiscan.checks.verify.clean import clean
from authentiscan.checks.verify.inspect import Inspection, inspect
from authentiscan.checks.verify.verify_report import (
    Copies,
    ImageRef,
    Mismatch,
    Removed,
    Unreadable,
    Verification,
)
from authentiscan.core.csv_cells import defused_row
from authentiscan.core.files import whole_text
from authentiscan.core.progress import Stages, stage
from authentiscan.datasets.frames import torn_frames
from authentiscan.manifest.table import Manifest

_SHOWN_OF_A_SET = 20


@dataclass(frozen=True, slots=True)
class Verified:
    """A report, and what is needed to act on it."""

    manifest: Manifest
    report: Verification
    copies: list[CopySet]
    errors: dict[int, str]

    def fix(self, target: Path | str) -> list[Removed]:
        """Write the cleaned manifest to ``target`` and the rows that went to a CSV beside it.

        The rules stand in `authentiscan.checks.verify.clean`. Returns the rows that went.
        """
        cleaned, gone = clean(self.manifest, self.copies, self.errors)
        cleaned.write(target)
        removed = [Removed(image=_ref(self.manifest, row), reason=why) for row, why in gone.items()]
        with whole_text(Path(target).with_suffix(".removed.csv")) as file:
            table = csv.writer(file)
            table.writerow(["row", "name", "label", "split", "reason"])
            for one in removed:
                image = one.image
                cells = [image.row, image.name, image.label, image.split, one.reason]
                table.writerow(defused_row(cells))
        return removed


def verify(
    manifest: Manifest,
    *,
    name: str = "manifest",
    workers: int = 2,
    listed: int = 1000,
    progress: Stages | None = None,
) -> Verified:
    """Check every image and row of ``manifest``; ``name`` is what the report calls it.

    ``listed`` bounds how many problems of each kind the report spells out; counts are complete.
    """
    began = time.perf_counter()
    seen = inspect(manifest, workers=workers, progress=stage(progress, "reading images"))
    copies = checks.find_copies(manifest, seen, stage(progress, "searching copies"))
    copies.sort(key=lambda found: found.gravity)
    seconds = time.perf_counter() - began
    report = _report(manifest, seen, copies, name, listed=listed, seconds=seconds)
    return Verified(manifest, report, copies, seen.errors)


def _report(
    manifest: Manifest,
    seen: Inspection,
    copies: list[CopySet],
    name: str,
    *,
    listed: int,
    seconds: float,
) -> Verification:
    leaks = checks.find_group_leaks(manifest)
    torn = torn_frames(manifest)
    unreadable = sorted(seen.errors.items())[:listed]
    return Verification(
        manifest=name,
        rows=len(manifest),
        readable=int(seen.readable.sum()),
        unreadable_count=len(seen.errors),
        mismatch_count=len(seen.mismatches),
        group_leak_count=len(leaks),
        leaks=len(leaks) + sum(found.across_splits for found in copies),
        counts=checks.count_rows(manifest),
        expectations=tuple(checks.find_expectations(manifest)),
        balance=tuple(checks.find_balance(manifest)),
        copies=checks.count_copies(copies),
        listed=listed,
        unreadable=tuple(
            Unreadable(image=_ref(manifest, row), error=error) for row, error in unreadable
        ),
        mismatches=tuple(
            Mismatch(image=_ref(manifest, row), column=column, claimed=claimed, found=found)
            for row, column, claimed, found in seen.mismatches[:listed]
        ),
        duplicates=tuple(
            _copies(manifest, found)
            for kind in ("near", "pixels", "bytes")
            for found in [c for c in copies if c.kind == kind][:listed]
        ),
        group_leaks=tuple(leaks[:listed]),
        warnings=() if torn is None else (str(torn),),
        seconds=round(seconds, 2),
        images_per_second=round(len(manifest) / max(seconds, 1e-9), 1),
    )


def _copies(manifest: Manifest, found: CopySet) -> Copies:
    return Copies(
        kind=found.kind,
        images=tuple(_ref(manifest, row) for row in found.rows[:_SHOWN_OF_A_SET]),
        count=len(found.rows),
        similarity=round(found.similarity, 4),
        across_splits=found.across_splits,
        across_labels=found.across_labels,
    )


def _ref(manifest: Manifest, row: int) -> ImageRef:
    one = manifest[row]
    names = manifest.table.column_names
    split = manifest.table["split"][row].as_py() if "split" in names else None
    return ImageRef(
        row=row,
        name=one.name,
        label=one.label,
        generator=one.generator or "unknown",
        split=split,
        group=one.group or "",
    )
