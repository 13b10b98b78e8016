"""Writing an evaluation down: JSON, Markdown, one self-contained HTML page, and the scores."""

from __future__ import annotations

from pathlib import Path

from authentiscan.core.manifest import Manifest
from authentiscan.evaluation.evaluate import Result
from authentiscan.evaluation.markdown import to_markdown


def write_report(result: Result, manifest: Manifest, folder: Path) -> Path:
    """Write the report into ``folder``; returns the page to open."""
    folder.mkdir(parents=True, exist_ok=True)
    evaluation = result.evaluation
    (folder / "evaluation.json").write_text(
        evaluation.model_dump_json(indent=2) + "\n", encoding="utf-8"
    )
    page = folder / "report.md"
    page.write_text(to_markdown(evaluation), encoding="utf-8")
    for name, table in result.tables.items():
        table.write(folder / f"scores-{_file_name(name)}.csv")
    return page


def _file_name(text: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in text)[:60]
