"""Writing an evaluation down: JSON, Markdown, one self-contained HTML page, pictures, scores."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from authentiscan.core.csv_cells import defused_row
from authentiscan.core.errors import UsageError
from authentiscan.core.files import write_text
from authentiscan.core.records import mistakes
from authentiscan.evaluation.cross_dataset import CrossEvaluation
from authentiscan.evaluation.cross_page import cross_sections
from authentiscan.evaluation.evaluate import Result
from authentiscan.evaluation.evaluation_page import evaluation_page
from authentiscan.evaluation.results import Evaluation
from authentiscan.evaluation.robustness import Robustness
from authentiscan.evaluation.robustness_page import robustness_sections
from authentiscan.manifest.table import Manifest
from authentiscan.metrics.bootstrap import Estimate
from authentiscan.metrics.ranking import METRICS
from authentiscan.report.page import Section


def write_report(
    result: Result, manifest: Manifest, folder: Path, further: Sequence[Path] = ()
) -> Path:
    """Write ``report.html``, ``report.md``, ``evaluation.json``, ``slices.csv``, ``plots/`` and
    ``scores-*.csv``; returns the HTML page.

    ``manifest`` gives the thumbnails of the worst mistakes. further: JSON files of `robustness` and
    `cross-evaluate` to show, curves and heatmaps. Raises UsageError for other files.
    """
    sections = [section for path in further for section in sections_of(path)]
    folder.mkdir(parents=True, exist_ok=True)
    content = result.evaluation.model_dump_json(indent=2)
    write_text(folder / "evaluation.json", content + "\n")
    write_text(folder / "slices.csv", slices_csv(result.evaluation))
    for name, table in result.tables.items():
        table.write(folder / f"scores-{file_name(name)}.csv")
    return evaluation_page(result.evaluation, manifest, sections).write(folder)


def sections_of(path: Path) -> list[Section]:
    """What the JSON of a robustness or cross-evaluation run adds to a report."""
    try:
        found = json.loads(path.read_bytes())
        kind = found.get("kind") if isinstance(found, dict) else None
        if kind == "robustness":
            return robustness_sections(Robustness.model_validate(found))
        if kind == "cross-evaluation":
            return cross_sections(CrossEvaluation.model_validate(found))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except ValidationError as error:
        raise UsageError(f"{path} is no result of this version: {mistakes(error)}") from error
    except ValueError as error:
        raise UsageError(f"{path} is no readable JSON: {error}") from error
    raise UsageError(f"{path} is no robustness.json or cross.json")


def slices_csv(evaluation: Evaluation) -> str:
    """One line per protocol and part with every metric and the ends of its interval."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    figures = [m + end for m in METRICS for end in ("", "_low", "_high")]
    writer.writerow(["protocol", "by", "part", "real", "generated", "compared_with", *figures])
    for protocol, result in evaluation.protocols.items():
        for s in (result.overall, *result.slices):
            values = [v for m in METRICS for v in s.metrics.get(m, Estimate(None)).as_json()]
            cells = ["" if v is None else f"{v:.5f}" for v in values]
            about = defused_row([protocol, s.by, s.name])
            writer.writerow([*about, s.real, s.generated, s.compared_with, *cells])
    return buffer.getvalue()


def file_name(text: str) -> str:
    """``text`` as a plain file name."""
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in text)[:60] or "unnamed"
