"""Shortcuts of the training images are told, and stand in the card."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from authentiscan.training.data_audit import DataAudit, audit_data
from authentiscan.training.parts import gather


def test_a_format_that_gives_the_label_away_is_told(tiny, toy: Path, tmp_path: Path) -> None:
    recipe = tiny(toy, "augment.history=none")
    parts = gather(recipe, tmp_path)
    found = audit_data(parts, recipe)  # real ones are JPEG, enlarged ones PNG
    named = {one.name: one for one in found.giveaways}
    assert named["format"].auc > 0.99
    assert "size" not in named  # all are 96 x 96
    assert found.images == 160
    assert any("file format" in line for line in found.lines())
    assert any("format (AUC 1.00)" in line for line in found.limits())
    assert tiny(toy).augment.history == "match"  # unless it says none: then it is made alike


@pytest.mark.slow
def test_what_the_recipe_makes_alike_is_not_told(tiny, toy: Path, tmp_path: Path) -> None:
    parts = gather(tiny(toy), tmp_path)
    assert "format" not in {one.name for one in audit_data(parts, tiny(toy)).giveaways}


def test_nothing_found_is_said_too() -> None:
    assert DataAudit(images=2000).lines() == [
        "no shortcut of format, size or borders in 2,000 training images"
    ]
    assert DataAudit(images=0, problem="too few").lines() == [
        "the training images could not be audited: too few"
    ]
    assert DataAudit(images=5).limits() == ()
