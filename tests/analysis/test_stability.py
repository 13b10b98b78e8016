"""Stability: the fixed set of changes, flips, the time budget."""

from __future__ import annotations

import numpy as np
import pytest

from authentiscan.analysis import stability
from authentiscan.core.types import Prediction, RGBImage, Verdict
from authentiscan.images import decode as images
from authentiscan.inference import load_detector


class Sharpness:
    """A detector by arithmetic: the score is the share of strong steps between neighbours."""

    def predict(self, source: RGBImage, /) -> Prediction:
        steps = np.abs(np.diff(source.astype(np.int16), axis=1)) > 100
        score = float(np.clip(steps.mean() * 2, 0, 1))
        return Prediction(score, score, ())

    def verdict(self, score: float, /) -> Verdict:
        if score >= 0.6:
            return Verdict.GENERATED
        return Verdict.REAL if score < 0.4 else Verdict.INCONCLUSIVE


def test_all_changes_are_tried_on_a_real_detector(
    tiny_bundle: object, photos: dict[str, RGBImage]
) -> None:
    detector = load_detector(tiny_bundle, threads=1)  # type: ignore[arg-type]
    before = detector.predict(photos["coffee"]).score
    found = stability.check(photos["coffee"], before, detector)
    assert [t.change for t in found.trials] == list(stability.TRIALS)
    assert found.complete
    assert found.largest_shift == max(abs(t.score - before) for t in found.trials)
    assert all(t.verdict is detector.verdict(t.score) for t in found.trials)


def test_flips_are_found_and_named() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    detector = Sharpness()
    score = detector.predict(noise).score
    assert detector.verdict(score) is Verdict.GENERATED
    found = stability.check(noise, score, detector)
    assert not found.stable
    assert "resizing to 50 %" in found.flips
    assert "cropping to 80 %" not in found.flips


def test_towards_inconclusive_is_no_flip() -> None:
    assert not stability._opposite(Verdict.GENERATED, Verdict.INCONCLUSIVE)
    assert not stability._opposite(Verdict.INCONCLUSIVE, Verdict.REAL)
    assert stability._opposite(Verdict.REAL, Verdict.GENERATED)


def test_budget_ends_the_trials_after_the_first(photos: dict[str, RGBImage]) -> None:
    found = stability.check(photos["coffee"], 0.1, Sharpness(), budget_seconds=0)
    assert len(found.trials) == 1
    assert not found.complete


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 400, 3), (20, 20, 3)])
def test_tiny_images_leave_trials_out(shape: tuple[int, int, int]) -> None:
    found = stability.check(np.zeros(shape, np.uint8), 0.0, Sharpness())
    assert not found.complete
    assert found.stable


def test_changes_keep_the_contract(photos: dict[str, RGBImage]) -> None:
    for change in stability.TRIALS.values():
        changed = change(photos["chelsea"])
        assert changed.dtype == np.uint8
        assert changed.ndim == 3
        assert changed.shape[2] == 3


def test_the_crop_is_the_middle_and_off_the_grid_of_jpeg_blocks() -> None:
    rows, columns = np.mgrid[:250, :333]
    places = np.stack([rows, columns // 2, columns % 2], axis=2).astype(np.uint8)
    cropped = stability.TRIALS["cropping to 80 %"](places)
    assert cropped.shape == (200, 266, 3)
    assert tuple(cropped[0, 0]) == (27, 17, 1)  # row 27, column 35: 24 + 3 and 32 + 3
    assert (cropped == places[27:227, 35:301]).all()


@pytest.mark.parametrize("quality", [90, 70])
def test_the_jpeg_trials_are_what_a_file_saved_so_decodes_to(
    photos: dict[str, RGBImage], quality: int
) -> None:
    changed = stability.TRIALS[f"JPEG quality {quality}"](photos["coffee"])
    stored = images.encode(photos["coffee"], "JPEG", quality=quality)
    assert (changed == images.decode(stored).pixels).all()
