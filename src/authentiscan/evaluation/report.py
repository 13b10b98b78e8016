"""Writing an evaluation down: JSON, Markdown, one self-contained HTML page, pictures, scores."""

from __future__ import annotations

from pathlib import Path

from authentiscan.core.manifest import Manifest
from authentiscan.evaluation.evaluate import Result
from authentiscan.evaluation.evaluation_page import evaluation_page


def write_report(result: Result, manifest: Manifest, folder: Path) -> Path:
    """Write ``report.html``, ``report.md``, ``evaluation.json``, ``plots/`` and ``scores-*.csv``.

    Returns the HTML page. ``manifest`` gives the thumbnails of the worst mistakes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = result.evaluation.model_dump_json(indent=2)
    (folder / "evaluation.json").write_text(content + "\n", encoding="utf-8")
    for name, table in result.tables.items():
        table.write(folder / f"scores-{file_name(name)}.csv")
    return evaluation_page(result.evaluation, manifest).write(folder)


def file_name(text: str) -> str:
    """``text`` as a plain file name."""
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in text)[:60] or "unnamed"
