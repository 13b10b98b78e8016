"""Names of detectors to compare."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from authentiscan.core.errors import UsageError
from authentiscan.evaluation.adapters import open_candidate, open_candidates


def test_two_runs_of_one_recipe_get_names_of_their_own(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        shutil.copytree(tiny_bundle, tmp_path / "runs" / name / "bundle")
    found = open_candidates(["runs/a/bundle", "runs/b", "b=runs/b", "default"])
    own = open_candidate("runs/a").name
    assert [c.name for c in found] == [f"{own} (runs/a)", f"{own} (runs/b)", "b", found[3].name]
    assert [c.scorer.name for c in found] == [c.name for c in found]


def test_nothing_of_all_that_is_told_with_the_detectors_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no bundle folder.*no \.csv.*one of default"):
        open_candidate(str(tmp_path / "nothing"))


def test_different_names_stay_as_they_are(tiny_bundle: Path) -> None:
    texts = [str(tiny_bundle), "default"]
    assert [c.name for c in open_candidates(texts)] == [open_candidate(t).name for t in texts]
