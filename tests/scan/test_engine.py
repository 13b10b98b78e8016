"""Many images through one detector: order, errors as rows, bounded memory, clean ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from authentiscan.analysis import analyze
from authentiscan.core.errors import UsageError
from authentiscan.core.types import DecodedImage
from authentiscan.images.decode import Limits, decode, decode_walked, encode
from authentiscan.images.walk import Walk
from authentiscan.inference import Detector, load_detector
from authentiscan.provenance import TrustList
from authentiscan.scan import Item, Options, find, scan
from authentiscan.scan.engine import THUMBNAIL_SIDE


@pytest.fixture(scope="module")
def detector(tiny_bundle: Path) -> Detector:
    return load_detector(tiny_bundle, threads=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, np.ndarray]) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for name, pixels in photos.items():
        (folder / f"{name}.jpg").write_bytes(encode(pixels[:300, :300], "JPEG"))
    (folder / "empty.png").write_bytes(b"")
    (folder / "script.jpg").write_bytes(b"%!PS")
    return folder


def test_same_reports_in_order_for_any_number_of_workers(folder: Path, detector: Detector) -> None:
    one, four = (list(scan(find([str(folder)]), detector, workers=n)) for n in (1, 4))
    assert [r.report.path for r in one] == sorted(str(path) for path in folder.iterdir())
    assert [r.report.score for r in one] == [r.report.score for r in four]
    assert [r.report.path for r in one] == [r.report.path for r in four]


def test_a_scan_says_what_analyze_says(folder: Path, detector: Detector) -> None:
    path = folder / "coffee.jpg"
    (result,) = scan([Item("coffee", path=path)], detector)
    alone = analyze(path, detector, name="coffee")
    different = {"timings", "provenance"}
    assert result.report.model_dump(exclude=different) == alone.model_dump(exclude=different)


def test_errors_are_rows(folder: Path, detector: Detector) -> None:
    items = [
        Item("gone", path=folder / "gone.jpg"),
        Item("told", error=ValueError("broken source")),
        Item("good", path=folder / "coffee.jpg"),
        Item("nothing", content=b""),
    ]
    gone, told, good, nothing = (r.report for r in scan(items, detector, workers=2))
    assert gone.error is not None
    assert "does not exist" in gone.error
    assert gone.verdict is None
    assert told.error is not None
    assert "broken source" in told.error
    assert good.error is None
    assert nothing.error_kind == "EmptyFileError"


def test_even_a_bug_costs_one_row_only(detector: Detector, photos: dict[str, np.ndarray]) -> None:
    class Buggy:
        spec = detector.spec

        def predict(self, image: object) -> object:
            if image.pixels[0, 0, 0] == 0:  # type: ignore[attr-defined]
                raise ZeroDivisionError("oops")
            return detector.predict(image)  # type: ignore[arg-type]

    dark, light = (encode(np.full((80, 80, 3), v, np.uint8), "PNG") for v in (0, 200))
    items = [Item("dark", content=dark), Item("light", content=light)]
    bad, good = scan(items, Buggy(), workers=1)  # type: ignore[arg-type]
    assert bad.report.error == "unexpected error: oops"
    assert good.report.error is None


def test_items_are_read_only_a_little_ahead(detector: Detector) -> None:
    content = encode(np.full((70, 70, 3), 100, np.uint8), "PNG")
    read = 0

    def items() -> Iterator[Item]:
        nonlocal read
        for number in range(1000):
            read += 1
            yield Item(str(number), content=content)

    results = scan(items(), detector, workers=2)
    for _ in range(10):
        next(results)
    assert read <= 10 + 2 * 6 + 1
    results.close()  # type: ignore[attr-defined]
    assert read < 50
    assert not [t for t in threading.enumerate() if t.name.startswith("scan")]


def test_large_members_do_not_pile_up(detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("authentiscan.scan.engine._HELD_BYTES", 250)
    content = b"x" * 200
    read = 0

    def items() -> Iterator[Item]:
        nonlocal read
        for number in range(20):
            read += 1
            yield Item(str(number), content=content)

    results = scan(items(), detector, workers=8)
    next(results)
    assert read <= 3
    assert len(list(results)) == 19


def test_an_error_of_the_source_itself_is_raised(detector: Detector) -> None:
    def items() -> Iterator[Item]:
        yield Item("a", content=b"")
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        list(scan(items(), detector))


def test_thumbnails(folder: Path, detector: Detector) -> None:
    options = Options(thumbnails=True)
    items = [Item("a", path=folder / "coffee.jpg"), Item("b", content=b"")]
    good, bad = scan(items, detector, options=options)
    assert good.thumbnail is not None
    assert max(decode(good.thumbnail).pixels.shape) == THUMBNAIL_SIDE
    assert bad.thumbnail is None


def test_stability_and_provenance_as_asked(folder: Path, detector: Detector) -> None:
    item = Item("a", path=folder / "coffee.jpg")
    (both,) = scan([item], detector, options=Options(stability=True, provenance=True))
    (none,) = scan([item], detector, options=Options(provenance=False))
    assert both.report.stability is not None
    assert both.report.provenance is not None
    assert none.report.stability is None
    assert none.report.provenance is None


def test_the_trust_list_is_looked_for_once(
    folder: Path, detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[None] = []
    first = TrustList.chosen()

    def chosen() -> TrustList:
        asked.append(None)
        return first

    monkeypatch.setattr(TrustList, "chosen", chosen)
    found = list(scan(find([str(folder)]), detector, workers=1))
    assert len(found) > 2
    assert len(asked) == 1
    assert any(one.report.provenance for one in found)
    list(scan(find([str(folder)]), detector, workers=1, options=Options(provenance=False)))
    assert len(asked) == 1, "not at all where no provenance is read"


@pytest.mark.parametrize("thumbnails", [False, True])
@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (Limits(pixels=1000), "at most 1,000 are allowed"),
        (Limits(bytes=500), "at most 500 bytes are allowed"),
    ],
)
def test_limits_hold_with_and_without_thumbnails(
    folder: Path, detector: Detector, limits: Limits, told: str, *, thumbnails: bool
) -> None:
    path = folder / "coffee.jpg"
    items = [Item("file", path=path), Item("member", content=path.read_bytes())]
    for result in scan(items, detector, options=Options(thumbnails=thumbnails, limits=limits)):
        assert result.report.error_kind == "ImageLimitError"
        assert told in str(result.report.error)
        assert result.thumbnail is None


def test_an_image_is_decoded_once_for_verdict_and_thumbnail(
    folder: Path, detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []

    def counting(content: bytes, *, limits: Limits) -> tuple[DecodedImage, Walk]:
        decoded.append(len(content))
        return decode_walked(content, limits=limits)

    monkeypatch.setattr("authentiscan.images.inputs.decode_walked", counting)
    path = folder / "coffee.jpg"
    (result,) = scan([Item("a", path=path)], detector, options=Options(thumbnails=True))
    assert result.thumbnail is not None
    assert decoded == [path.stat().st_size]


@pytest.mark.parametrize("workers", [0, -1])
def test_workers_must_be_positive(detector: Detector, workers: int) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        scan([], detector, workers=workers)
