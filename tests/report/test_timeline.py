"""The timeline's picture: a mark for every frame where its time and score are."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from authentiscan.core.types import Verdict
from authentiscan.report import timeline
from authentiscan.report.timeline import Point


def drawn(points: list[Point], seconds: float | None = 10.0) -> np.ndarray:
    data = timeline.draw("a clip", points, seconds=seconds, generated_from=0.9, real_below=0.1)
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def point(seconds: float, score: float, verdict: Verdict) -> Point:
    return Point(seconds, score, verdict, np.full((30, 40, 3), (200, 0, 200), np.uint8))


def places(image: np.ndarray, colour: str) -> np.ndarray:
    """Rows and columns of that colour in the plot."""
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    found = np.argwhere((image == wanted).all(axis=2))
    return found[found[:, 0] < 298]  # above the legend


def test_marks_stand_at_time_and_score() -> None:
    image = drawn([point(0, 0.5, Verdict.GENERATED), point(10, 0.5, Verdict.REAL)])
    orange, blue = places(image, "#D55E00"), places(image, "#0072B2")
    # The thresholds' dashes are of the same colours, so look at the middle of the plot alone.
    y = 128 + 85
    orange, blue = (c[abs(c[:, 0] - y) < 12] for c in (orange, blue))
    assert orange[:, 1].mean() == pytest.approx(56, abs=2)
    assert blue[:, 1].mean() == pytest.approx(timeline.WIDTH - 30, abs=2)
    assert orange[:, 0].mean() == pytest.approx(y, abs=2)


def test_a_higher_score_stands_higher() -> None:
    low, high = (drawn([point(5, s, Verdict.INCONCLUSIVE)]) for s in (0.2, 0.8))
    grey = "#7A7A7A"
    assert places(high, grey)[:, 0].mean() < places(low, grey)[:, 0].mean() - 90


def test_every_frame_is_shown() -> None:
    image = drawn([point(i, 0.5, Verdict.REAL) for i in range(7)])
    row = (image[34 + 42] == (200, 0, 200)).all(axis=1)
    assert (np.diff(row.astype(int)) == 1).sum() == 7


def test_odd_clips_are_drawn() -> None:
    assert drawn([point(0, 0, Verdict.REAL)], None).shape[1] == timeline.WIDTH
    assert drawn([point(i, i / 999, Verdict.REAL) for i in range(1000)]).shape[1] == timeline.WIDTH
    timeline.draw(
        "x" * 5000, [point(0, 1, Verdict.REAL)], seconds=0, generated_from=1, real_below=0
    )


def test_stacked_timelines_stand_one_under_the_other() -> None:
    one = timeline.draw("a", [point(0, 1, Verdict.REAL)], seconds=1, generated_from=1, real_below=0)
    both = Image.open(io.BytesIO(timeline.stacked([one, one])))
    height = Image.open(io.BytesIO(one)).height
    assert both.size == (timeline.WIDTH, 2 * height)
    halves = np.asarray(both)
    assert (halves[:height] == halves[height:]).all()


@pytest.mark.parametrize(
    ("seconds", "told"), [(0, "0:00.0"), (62.54, "1:02.5"), (59.99, "1:00.0"), (3602, "1:00:02")]
)
def test_clock(seconds: float, told: str) -> None:
    assert timeline.clock(seconds) == told
