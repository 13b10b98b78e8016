"""Uploads get the report that the command line gives, and downloads are the files it writes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from authentiscan.images.decode import DEFAULT_LIMITS, decode, encode

pytest.importorskip("streamlit")

from authentiscan.analysis import Report
from authentiscan.core.types import Verdict
from authentiscan.explain import gradcam
from authentiscan.inference import Detector, load_detector
from authentiscan.scan import Item, Options, Scanned
from authentiscan.scan.engine import judge
from authentiscan.serving.app.batch import ORDERS, ordered, written
from authentiscan.serving.app.details import CENTRE, SIDE, detail, with_crops
from authentiscan.serving.app.judging import judge_missing, judge_stability
from authentiscan.serving.app.settings import Settings
from authentiscan.serving.app.state import Session, Upload


@pytest.fixture(scope="module")
def detector(tiny_bundle: Path) -> Detector:
    return load_detector(tiny_bundle, threads=1)


@pytest.fixture(scope="module")
def uploads(photos: dict[str, np.ndarray]) -> tuple[Upload, ...]:
    cat = encode(photos["chelsea"], "JPEG", quality=90)
    coffee = encode(photos["coffee"], "PNG", compress_level=1)
    return (
        Upload.of("cat.jpg", cat),
        Upload.of("broken.jpg", cat[:4000]),
        Upload.of("coffee.png", coffee),
        Upload.of("empty.png", b""),
    )


def _judged(uploads: tuple[Upload, ...], detector: Detector) -> Session:
    session = Session(images=uploads)
    judge_missing(session, "tiny", detector, Settings(workers=2), lambda *_: None)
    return session


def _plain(result: Scanned) -> dict[str, Any]:
    told = json.loads(result.report.json_line())
    del told["timings"]
    if told["provenance"]:
        del told["provenance"]["milliseconds"]
    if told["stability"]:
        del told["stability"]["milliseconds"]
    return told


def test_a_report_is_that_of_scan(uploads: tuple[Upload, ...], detector: Detector) -> None:
    session = _judged(uploads, detector)
    for place, upload in enumerate(uploads):
        asked = judge(Item(upload.name, content=upload.content), detector, Options(thumbnails=True))
        assert _plain(session.results[place, "tiny"]) == _plain(asked)
    kinds = [session.results[place, "tiny"].report.error_kind for place in range(4)]
    assert kinds == [None, "CorruptImageError", None, "EmptyFileError"]


def test_work_that_was_broken_off_goes_on(uploads: tuple[Upload, ...], detector: Detector) -> None:
    session = Session(images=uploads)
    told = []

    def stop(done: int, of: int, last: str) -> None:
        told.append((done, of, last))
        if done == 1:
            raise InterruptedError

    settings = Settings(workers=1)
    with pytest.raises(InterruptedError):
        judge_missing(session, "tiny", detector, settings, stop)
    assert session.missing("tiny") == [1, 2, 3]
    judge_missing(session, "tiny", detector, settings, lambda *a: told.append(a))
    assert session.missing("tiny") == []
    assert told == [
        (1, 4, "cat.jpg"), (1, 3, "broken.jpg"), (2, 3, "coffee.png"), (3, 3, "empty.png"),
    ]  # fmt: skip


def test_stability_is_that_of_scan(uploads: tuple[Upload, ...], detector: Detector) -> None:
    session = _judged(uploads[:1], detector)
    judge_stability(session, 0, "tiny", detector, Settings())
    asked = judge(
        Item("cat.jpg", content=uploads[0].content),
        detector,
        Options(stability=True, thumbnails=True),
    )
    assert _plain(session.results[0, "tiny"]) == _plain(asked)
    assert session.results[0, "tiny"].report.stability is not None


def test_files_of_results(
    uploads: tuple[Upload, ...], detector: Detector, read_page: Callable[[str], Any]
) -> None:
    session = _judged(uploads, detector)
    results = [session.results[place, "tiny"] for place in range(4)]
    rows = list(csv.DictReader(io.StringIO(written(results, "csv", ()).decode())))
    assert [row["path"] for row in rows] == [upload.name for upload in uploads]
    lines = [json.loads(line) for line in written(results, "jsonl", ()).decode().splitlines()]
    assert lines == [json.loads(result.report.json_line()) for result in results]
    page = read_page(written(results, "html", ("It cannot fly.",)).decode())
    assert "It cannot fly." in page.text
    assert len(page.all("article")) == 4


def test_orders_of_the_table(uploads: tuple[Upload, ...], detector: Detector) -> None:
    session = _judged(uploads, detector)
    results = [session.results[place, "tiny"] for place in range(4)]
    scores = {place: results[place].report.score for place in (0, 2)}
    high, low = sorted(scores, key=lambda place: -(scores[place] or 0))
    others = [order for order in ORDERS if order != "look at these first"]
    assert [ordered(results, order) for order in others] == [
        [0, 1, 2, 3], [high, low, 1, 3], [low, high, 1, 3], [1, 0, 2, 3],
    ]  # fmt: skip


def test_what_needs_a_look_comes_first() -> None:
    judged = (
        (Verdict.REAL, 0.1), (Verdict.GENERATED, 0.9), (None, None), (Verdict.INCONCLUSIVE, 0.5),
    )  # fmt: skip
    reports = [Report(path="a", verdict=verdict, score=score) for verdict, score in judged]
    assert ordered([Scanned(report) for report in reports], "look at these first") == [1, 3, 2, 0]


def test_names_are_made_harmless_and_details_are_bounded() -> None:
    assert Upload.of("a\x1b[31m\n.jpg", b"").name == "a\\u001b[31m\\n.jpg"
    assert Upload.of("", b"").name == "unnamed"
    assert len(Upload.of("x" * 999, b"").name) == 255
    session = Session(images=(Upload.of("a", b""),) * 9)
    for place in range(9):
        session.keep((place, "tiny", "generated"), object())  # type: ignore[arg-type]
    assert [place for place, _, _ in session.details] == [5, 6, 7, 8]


def test_details_show_the_map_of_the_same_pass(
    photos: dict[str, np.ndarray], detector: Detector
) -> None:
    pixels = np.tile(photos["coffee"], (4, 4, 1))  # 1600 x 2400
    content = encode(pixels, "JPEG", quality=80)
    found = detail(content, detector, "generated", DEFAULT_LIMITS)
    assert found.picture.shape == (800, SIDE, 3)
    assert found.values.shape == found.covered.shape == (800, SIDE)
    assert 0 <= found.values.min() <= found.values.max() <= 1
    assert found.centre.shape == (CENTRE, CENTRE, 3)
    image = decode(content)
    np.testing.assert_array_equal(found.centre, image.pixels[288:1312, 688:1712])
    whole = gradcam.explain(detector, image)
    assert found.prediction.score == whole.score
    assert found.strongest == pytest.approx(whole.raw.max())


def test_crops_are_drawn_where_they_were_taken(detector: Detector) -> None:
    picture = np.full((100, 200, 3), 127, np.uint8)
    report = judge(
        Item("a", content=encode(np.repeat(picture, 2, axis=0), "PNG")), detector, Options()
    ).report
    crop = report.crops[0].model_copy(update={"left": 100, "top": 40, "width": 200, "height": 100})
    drawn = with_crops(picture, (crop,), 400)
    changed = np.argwhere((drawn != picture).any(axis=2))
    assert changed.min(axis=0).tolist() == [20, 50]
    assert changed.max(axis=0)[1] <= 151
