"""Notebooks as pages. Those that `make docs` has run show what they print and draw."""

from __future__ import annotations

from pathlib import Path

FOLDER = "notebooks"


def sources(root: Path) -> dict[str, str]:
    """The notebooks of the repository ``root``: place on the site -> path in the repository."""
    found = sorted((root / FOLDER).glob("*.ipynb"))
    return {f"{FOLDER}/{path.stem}.md": f"{FOLDER}/{path.name}" for path in found}


def page(root: Path, path: str) -> tuple[str, dict[str, bytes]]:
    """Markdown of the notebook ``path``, and its pictures by their place on the site.

    With outputs where build/notebooks holds it run and as new as the notebook itself.
    """
    from nbconvert import MarkdownExporter
    from nbconvert.preprocessors import CoalesceStreamsPreprocessor

    source, run = root / path, root / "build" / path
    fresh = run.is_file() and run.stat().st_mtime >= source.stat().st_mtime
    exporter = MarkdownExporter()
    exporter.register_preprocessor(CoalesceStreamsPreprocessor(), enabled=True)
    stem = source.stem
    text, resources = exporter.from_filename(
        str(run if fresh else source),
        resources={"unique_key": stem, "output_files_dir": f"{stem}_files"},
    )
    pictures = {f"{FOLDER}/{name}": data for name, data in resources["outputs"].items()}
    return text, pictures
