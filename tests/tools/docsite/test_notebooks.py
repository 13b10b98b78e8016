"""Notebooks become pages, with pictures where they were run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from docsite import notebooks

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbconvert")

ROOT = Path(__file__).resolve().parents[3]
PNG = "iVBORw0KGgo="


def test_every_notebook_of_the_repository_has_its_place() -> None:
    found = notebooks.sources(ROOT)
    assert found["notebooks/quick-start.md"] == "notebooks/quick-start.ipynb"
    assert len(found) == len(list((ROOT / "notebooks").glob("*.ipynb")))


def written(path: Path, *, run: bool) -> None:
    cell = nbformat.v4.new_code_cell("print(1)")
    if run:
        cell.outputs = [nbformat.v4.new_output("display_data", {"image/png": PNG})]
    path.parent.mkdir(parents=True)
    kernel = {"language_info": {"name": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=kernel), path)


def test_pictures_of_a_notebook_that_was_run_are_shown(tmp_path: Path) -> None:
    written(tmp_path / "notebooks" / "a.ipynb", run=False)
    text, pictures = notebooks.page(tmp_path, "notebooks/a.ipynb")
    assert "```python\nprint(1)\n```" in text
    assert pictures == {}
    written(tmp_path / "build" / "notebooks" / "a.ipynb", run=True)
    text, pictures = notebooks.page(tmp_path, "notebooks/a.ipynb")
    (place,) = pictures
    assert place.startswith("notebooks/a_files/")
    assert f"]({place.removeprefix('notebooks/')})" in text


def test_an_older_run_is_not_shown(tmp_path: Path) -> None:
    written(tmp_path / "notebooks" / "a.ipynb", run=False)
    written(tmp_path / "build" / "notebooks" / "a.ipynb", run=True)
    os.utime(tmp_path / "build" / "notebooks" / "a.ipynb", (1, 1))
    assert notebooks.page(tmp_path, "notebooks/a.ipynb")[1] == {}
    shutil.rmtree(tmp_path / "build")
