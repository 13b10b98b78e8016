"""Robustness: what is drawn, what is degraded, what is reported."""

from __future__ import annotations

import csv
import io

import numpy as np
import pyarrow as pa
import pytest

from authentiscan.core.errors import UsageError
from authentiscan.evaluation.robustness import PAIRS, SWEEPS, jpeg_csv, robustness, sample
from authentiscan.evaluation.robustness_page import robustness_page, write_robustness_report
from authentiscan.evaluation.slices import Options
from authentiscan.images import degrade
from authentiscan.manifest.table import Manifest

FAST = Options(rounds=20)


def manifest(generators: list[str]) -> Manifest:
    count = len(generators)
    return Manifest(
        pa.table(
            {
                "path": [f"{i}.png" for i in range(count)],
                "label": [int(g != "camera") for g in generators],
                "generator": generators,
                "dataset": ["d"] * count,
                "group": [str(i) for i in range(count)],
            }
        )
    )


def test_every_condition_is_a_chain_that_can_be_read() -> None:
    for condition in (*(c for family in SWEEPS.values() for c in family), *PAIRS):
        assert degrade.parse(condition.chain).stages, condition.label
    assert len(PAIRS) == 56
    assert len({c.label for c in PAIRS}) == 56


def test_a_sample_is_half_of_each_class_and_keeps_rare_generators() -> None:
    whole = manifest(["camera"] * 500 + ["common"] * 480 + ["rare"] * 5)
    drawn = sample(whole, 40, seed=3)
    assert len(drawn) == 40
    assert int((drawn.labels == 0).sum()) == 20
    assert drawn.column("generator").count("rare") == 5
    assert drawn.column("path") == sample(whole, 40, seed=3).column("path")
    assert drawn.column("path") != sample(whole, 40, seed=4).column("path")


@pytest.mark.parametrize("images", [0, 985, 2000])
def test_all_are_kept_where_there_are_no_more(images: int) -> None:
    whole = manifest(["camera"] * 500 + ["common"] * 485)
    assert sample(whole, images) is whole


class Bright:
    """Calls bright images generated."""

    name, identity = "bright", None

    def logits(self, images) -> np.ndarray:
        return np.asarray([(float(image.mean()) - 100.0) / 20.0 for image in images])

    def scores(self, logits: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-logits))


@pytest.fixture(scope="module")
def measured(image_manifest):
    return robustness(
        Bright(),
        image_manifest,
        name="crops",
        families=("jpeg", "screenshot"),
        extra={"mine": "blur:sigma=1"},
        base="raw",
        options=FAST,
    )


def test_brightness_survives_jpeg(measured) -> None:
    jpeg = measured.family("jpeg")
    assert [c.strength for c in jpeg] == sorted(c.strength for c in SWEEPS["jpeg"])
    base = measured.base.metrics["roc_auc"].value
    assert all(abs(c.metrics["roc_auc"].value - base) < 0.05 for c in jpeg)
    assert all(c.flips.value < 0.2 for c in jpeg)
    assert measured.base.flips.value == 0.0
    assert measured.base.label == "base"
    assert measured.family("own")[0].label == "mine"


def test_hard_flips_are_among_the_flips(measured) -> None:
    for condition in measured.conditions:
        assert condition.hard_flips.value <= condition.flips.value


def test_the_csv_goes_from_the_mildest_quality_down(measured) -> None:
    rows = list(csv.DictReader(io.StringIO(jpeg_csv(measured))))
    assert [float(r["jpeg_quality"]) for r in rows] == [100, 95, 90, 80, 70, 60, 50, 40, 30]
    assert float(rows[0]["roc_auc"]) == pytest.approx(
        measured.family("jpeg")[-1].metrics["roc_auc"].value, abs=1e-4
    )


def test_the_report_holds_every_condition(measured, tmp_path) -> None:
    text = robustness_page(measured).markdown()
    assert all(c.label in text for c in measured.conditions)
    page = write_robustness_report(measured, tmp_path)
    assert page.is_file()
    assert (tmp_path / "robustness.json").is_file()
    assert (
        type(measured).model_validate_json((tmp_path / "robustness.json").read_text()) == measured
    )


def test_unknown_families_are_named(image_manifest, scorer) -> None:
    with pytest.raises(UsageError, match="fog"):
        robustness(scorer, image_manifest, families=("fog",), options=FAST)


def test_failed_images_count_in_no_figure(image_manifest, scorer) -> None:
    images = [image_manifest.image_bytes(i) for i in range(12)]
    images[0] = b"broken"
    few = image_manifest.take(np.arange(12)).table
    kept = [name for name in few.column_names if name not in ("image", "path", "row")]
    broken = Manifest(few.select(kept).append_column("image", [images]))
    found = robustness(scorer, broken, families=("screenshot",), base="raw", options=FAST)
    assert found.data.images == 12
    assert found.base.flips.value == 0.0
