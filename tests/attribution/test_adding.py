"""A new generator from a few images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from authentiscan.attribution import add_generator, load_attributor, read_attributor
from authentiscan.core.errors import UsageError


def yellows(count: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [
        np.full((40, 40, 3), (127 + d, 127 - d, 0), np.uint8) for d in rng.integers(-6, 6, count)
    ]


def test_a_new_generator_is_found_afterwards(colours: Path, tmp_path: Path) -> None:
    assert not load_attributor(colours).attribute(yellows(1)[0]).known
    added = add_generator("yellow", yellows(8), tmp_path / "more", attributor=colours)
    assert (added.found, added.unknown, added.instead, added.failures) == (8, 0, {}, ())
    ready = load_attributor(tmp_path / "more")
    assert ready.attribute(yellows(1, seed=9)[0]).generator == "yellow"
    assert ready.attribute(np.full((40, 40, 3), (255, 0, 0), np.uint8)).generator == "red"
    assert "yellow" in (tmp_path / "more" / "README.md").read_text()
    assert read_attributor(tmp_path / "more").generators[-1].registered


def test_in_place_and_again(colours: Path) -> None:
    add_generator("yellow", yellows(4), colours, attributor=colours)
    again = add_generator("yellow", yellows(6), colours, attributor=colours)
    assert [g.name for g in again.spec.generators] == ["red", "green", "camera", "yellow"]
    assert again.generator.images == 6


def test_what_cannot_be_read_is_told_and_left_out(colours: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    images = [*yellows(3), tmp_path / "broken.png", tmp_path / "missing.png"]
    added = add_generator("yellow", images, tmp_path / "more", attributor=colours)
    assert added.generator.images == 3
    assert len(added.failures) == 2


@pytest.mark.parametrize(
    "name", ["red", "camera", "unknown", " ", "x" * 201, "a\x1b[31m", "caf\udce9"]
)
def test_names_that_are_taken(colours: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="take another"):
        add_generator(name, yellows(3), tmp_path / "more", attributor=colours)


def test_too_few_images_leave_nothing(colours: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="2 images or more"):
        add_generator("yellow", yellows(1), tmp_path / "more", attributor=colours)
    assert not (tmp_path / "more").exists()
