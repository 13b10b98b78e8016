"""Stability: the fixed set of changes, flips, the time budget."""

from __future__ import annotations

import numpy as np
import pytest

from authentiscan.analysis import stability
from authentiscan.core.types import Prediction, RGBImage, Verdict
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
