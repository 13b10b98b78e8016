"""Every notebook runs from top to bottom; none stores what it printed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from docsite import links

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
pytestmark = pytest.mark.timeout(3600)


def ran(name: str, folder: Path) -> tuple[str, int]:
    """What a notebook prints, and how many pictures it shows, run in a copy of its folder."""
    for part in ("notebooks", "examples"):
        shutil.copytree(ROOT / part, folder / part)
    book = nbformat.read(folder / "notebooks" / f"{name}.ipynb", as_version=4)
    place = {"metadata": {"path": str(folder / "notebooks")}}
    client = nbclient.NotebookClient(book, timeout=1800, startup_timeout=600, resources=place)
    client.execute()
    outputs = [output for cell in book.cells for output in cell.get("outputs", ())]
    text = "".join(output.get("text", "") for output in outputs)  # a cell's come in pieces
    assert "Traceback" not in text
    assert "Error" not in text
    return text, sum("image/png" in output.get("data", {}) for output in outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_links_lead_somewhere(path: Path) -> None:
    found = set(links.targets(path.read_text("utf-8"), f"notebooks/{path.name}"))
    assert [target for target in found if not (ROOT / target).exists()] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_nothing_that_was_printed_is_stored(path: Path) -> None:
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert code
    assert book.cells[0].source.startswith("# ")
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


def test_quick_start(tmp_path: Path) -> None:
    text, pictures = ran("quick-start", tmp_path)
    assert pictures == 2  # the photograph, and its heatmap beside it
    verdicts = [line.split() for line in text.splitlines() if " is of " in line]
    assert len(verdicts) == 9
    assert all(words[1] in ("real", "generated", "inconclusive") for words in verdicts)


@pytest.mark.slow
def test_train_your_own(tmp_path: Path) -> None:
    text, pictures = ran("train-your-own", tmp_path)
    assert pictures == 1  # learning curves
    assert re.search(r"^fake: \w+, score [01]\.\d\d$", text, flags=re.M)


@pytest.mark.slow
def test_read_a_report(tmp_path: Path) -> None:
    text, pictures = ran("read-a-report", tmp_path)
    assert pictures == 3  # confusion matrix, reliability, ROC curve
    low, high = map(float, re.findall(r"roc_auc .*\[(.+), (.+)\]", text)[0])
    assert low < 0.5 < high  # as its text says: stand-ins that the packaged detector does not know


@pytest.mark.slow
def test_resnet18_and_gradcam(tmp_path: Path) -> None:
    text, pictures = ran("resnet18-gradcam", tmp_path)
    assert pictures == 3  # curves, confusion matrix, heatmaps
    assert "random: nothing is transferred" in text
