"""Figures of an attributor, on images whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from authentiscan.attribution import load_attributor
from authentiscan.attribution.spec import write_attributor
from authentiscan.core.errors import DatasetError
from authentiscan.datasets.open import open_data
from authentiscan.evaluation.attribution import (
    Answers,
    Measured,
    evaluate_attributor,
    left_out_row,
    left_out_text,
    summarize,
    write_left_out,
    write_results,
)
from authentiscan.evaluation.attribution.fingerprints import (
    denoised_residual,
    fingerprint,
    picture,
)
from authentiscan.report import plots
from conftest_attribution import colour_graph, colour_spec

COLOURS = {"red": (250, 5, 5), "green": (5, 250, 5), "other": (130, 130, 5), "real": (5, 5, 250)}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("colours")
    rng = np.random.default_rng(0)
    for name, colour in {**COLOURS, "odd(mixed)": (0, 0, 0)}.items():
        (folder / name).mkdir()
        for number in range(6):
            pixels = np.clip(np.array(colour) + rng.integers(-4, 5, (48, 48, 3)), 0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{number}.png")
    swapped = np.full((48, 48, 3), COLOURS["green"], np.uint8)
    Image.fromarray(swapped).save(folder / "red" / "5.png")  # one that must be named wrongly
    (folder / "green" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    return folder


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    colour_graph(folder / "model.onnx")
    write_attributor(folder, colour_spec())
    return folder


@pytest.fixture(scope="module")
def measured(images: Path, bundle: Path) -> Measured:
    return evaluate_attributor(
        load_attributor(bundle), open_data(images), qualities=(90, 30), rounds=50
    )


def test_closed_set(measured: Measured) -> None:
    assert measured.images == 12
    assert measured.accuracy[0] == pytest.approx(11 / 12)
    assert measured.balanced[0] == pytest.approx((5 / 6 + 1) / 2)
    assert measured.counts == ((5, 1, 0), (0, 6, 0))
    assert [row.generator for row in measured.rows] == ["red", "green"]
    assert measured.rows[1].precision == pytest.approx(6 / 7)
    low, high = measured.accuracy[1:]
    assert low is not None
    assert high is not None
    assert low < 11 / 12 <= high


def test_open_set_photographs_and_what_was_left_out(measured: Measured) -> None:
    assert measured.unknown_images == 6
    assert measured.auc is not None
    assert measured.auc[0] == 1
    assert measured.oscr is not None
    assert measured.oscr[0] == pytest.approx(11 / 12)
    assert measured.rejected is not None
    assert measured.rejected[0] == 1
    assert measured.photographs_named is not None
    assert measured.photographs_named[0] == 0
    assert measured.left_out == ("6 images with weak labels",)
    assert measured.unreadable == 1


def test_the_curve_over_jpeg_quality(measured: Measured) -> None:
    assert set(measured.quality) == {90, 30}
    assert measured.quality[90][0] == pytest.approx(11 / 12)


def test_no_known_generator_is_told(bundle: Path, images: Path) -> None:
    others = open_data(images).where(generator="other")
    with pytest.raises(DatasetError, match="it knows red, green"):
        evaluate_attributor(load_attributor(bundle), others)


def test_what_is_written(measured: Measured, tmp_path: Path) -> None:
    write_results(tmp_path, measured, "colours")
    assert Measured.model_validate_json((tmp_path / "results.json").read_text()) == measured
    report = (tmp_path / "report.txt").read_text()
    assert "accuracy, closed set: 91.7 [" in report
    assert "unreadable: 1 images" in report
    lines = (tmp_path / "jpeg-quality.csv").read_text().splitlines()
    assert lines[0] == "quality,balanced_accuracy,low,high"
    assert [line.partition(",")[0] for line in lines[1:]] == ["90", "30"]
    for name in ("confusion.png", "jpeg-quality.png"):
        assert Image.open(tmp_path / name).size[0] > 200
    whole = Image.open(tmp_path / "confusion.png").height
    first, *others = measured.counts
    without = (tuple(0 for _ in first), *others)
    write_results(tmp_path, measured.model_copy(update={"counts": without}), "colours")
    assert Image.open(tmp_path / "confusion.png").height < whole, "no row without images"


def answers(truth: list[str], said: list[str], knownness: list[float], fit: float) -> Answers:
    count = len(truth)
    return Answers(
        tuple(truth), tuple(said), np.array(knownness), np.full(count, fit), tuple(range(count))
    )


def test_leaving_out(tmp_path: Path) -> None:
    known = answers(["a", "a", "b"], ["a", "a", "a"], [-1.0, -2.0, -3.0], 0.9)
    far = left_out_row("c", known, answers(["c"] * 2, ["b", "b"], [-8.0, -9.0], 0.01), 0.05)
    near = left_out_row("d", known, answers(["d"] * 2, ["a", "a"], [-1.5, -9.0], 0.5), 0.05)
    assert far.auc[0] == 1
    assert far.oscr[0] == pytest.approx(2 / 3)
    assert (far.rejected, far.instead) == (1, "b")
    assert near.auc[0] == pytest.approx(4 / 6)
    assert near.rejected == 0
    found = summarize([far, near])
    assert found.worst == "d"
    assert found.auc == pytest.approx(5 / 6)
    write_left_out(tmp_path, found)
    text = (tmp_path / "leave-one-out.txt").read_text()
    assert text == left_out_text(found)
    assert text.index("d  ") < text.index("c  ")  # the hardest first


def test_a_fingerprint_keeps_the_trace_and_loses_the_content() -> None:
    rng = np.random.default_rng(0)
    dots = np.zeros((32, 32, 1))
    dots[::4, ::4] = 40
    crops = [
        np.clip(rng.integers(60, 180) + 20 * rng.random((32, 32, 3)) + dots, 0, 255).astype(
            np.uint8
        )
        for _ in range(40)
    ]
    found = fingerprint(crops)
    assert found.images == 40
    assert found.residual[::4, ::4].mean() > 5 * abs(found.residual[1::4, 1::4].mean())
    middle = 16
    assert found.spectrum[middle + 8, middle] > found.spectrum[middle + 5, middle] + 10
    assert denoised_residual(np.full((8, 8, 3), 9, np.uint8)).max() == 0
    assert len(plots.png(picture({"dots": found, "again": found}))) > 1000
    with pytest.raises(ValueError, match="one image or more"):
        fingerprint([])
