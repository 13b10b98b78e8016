"""The page of a comparison: its tables say what the comparison says, and names are escaped."""

from __future__ import annotations

from pathlib import Path

import pytest

from authentiscan.datasets.open import NamedData
from authentiscan.evaluation.adapters import Candidate
from authentiscan.evaluation.compare import Comparisons, compare
from authentiscan.evaluation.compare_page import (
    comparison_page,
    standings_table,
    summary_markdown,
    summary_table,
    write_comparison,
)
from authentiscan.evaluation.slices import Options
from authentiscan.manifest.table import Manifest
from evaluation.conftest import MeanScorer

NAMES = ("<b>bright</b>", "late")


@pytest.fixture(scope="module")
def found(image_manifest: Manifest) -> Comparisons:
    candidates = [
        Candidate(name, threshold, MeanScorer(name))
        for name, threshold in zip(NAMES, (0.5, 0.9), strict=True)
    ]
    places = [NamedData(n, image_manifest.where(dataset=n)) for n in ("one", "two")]
    return compare(candidates, places, options=Options(rounds=20))[0]


def test_the_summary_has_a_row_a_detector_and_its_figures(found: Comparisons) -> None:
    table = summary_table(found.of("one"))
    assert [row[0] for row in table.rows] == list(NAMES)
    raw = next(c for c in found.of("one") if c.protocol == "raw")
    for row, name in zip(table.rows, NAMES, strict=True):
        (standing,) = (s for s in raw.standings if s.detector == name)
        assert any(f"{100 * standing.metrics['roc_auc'].value:.1f}" in cell for cell in row)
    assert all(len(row) == len(table.head) for row in table.rows)


def test_one_score_at_two_thresholds_ranks_alike_and_decides_otherwise(found: Comparisons) -> None:
    c = found.of("two")[0]
    one, other = (s.metrics for s in sorted(c.standings, key=lambda s: s.detector))
    assert one["roc_auc"].value == other["roc_auc"].value
    assert one["balanced_accuracy"].value != other["balanced_accuracy"].value
    assert set(standings_table(c).head) >= set(NAMES)


def test_a_page_has_every_data_set_and_protocol(found: Comparisons) -> None:
    page = comparison_page(found)
    titles = [section.title for section in page.sections]
    assert [t for t in titles if t.startswith("Summary")] == ["Summary: one", "Summary: two"]
    assert page.title == "2 detectors on one, two"
    assert "raw" in page.lead
    assert "matched" in page.lead


def test_what_is_written_reads_back(found: Comparisons, tmp_path: Path) -> None:
    page = write_comparison(found, tmp_path / "deep" / "out")
    assert Comparisons.model_validate_json((page.parent / "comparison.json").read_text()) == found
    text = page.read_text()
    assert "<b>bright</b>" not in text
    assert "&lt;b&gt;bright" in text
    assert (page.parent / "comparison.md").is_file()
    assert list((page.parent / "plots").glob("*.png"))
    assert len(summary_markdown(found).splitlines()) >= 2 + len(NAMES)
